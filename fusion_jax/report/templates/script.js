"use strict";
(function () {
  var page = document;
  function all(what, inside) {
    return Array.prototype.slice.call((inside || page).querySelectorAll(what));
  }
  function make(tag, text, kind) {
    var made = page.createElement(tag);
    if (text) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }
  function button(text, act) {
    var made = make("button", text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  /* A link leads into what is folded. */
  function reveal() {
    var name = decodeURIComponent(location.hash.slice(1));
    var place = name && page.getElementById(name);
    for (var x = place; x; x = x.parentElement) {
      if (x.tagName === "DETAILS") x.open = true;
    }
    if (place) place.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  reveal();

  /* Older browsers print only what is open. */
  var folded = [];
  addEventListener("beforeprint", function () {
    folded = all("details:not([open])");
    folded.forEach(function (x) { x.open = true; });
  });
  addEventListener("afterprint", function () {
    folded.forEach(function (x) { x.open = false; });
  });

  /* Sorting: by a heading, down, up, and back to the order of the page. */
  function valueOf(row, column) {
    var cell = row.cells[column];
    if (!cell) return null;
    var text = cell.getAttribute("data-value");
    if (text !== null) return Number(text);
    text = cell.textContent.trim();
    if (!text) return null;
    var number = Number(text.replace(/,/g, ""));
    return isNaN(number) ? text : number;
  }
  function compare(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  function sortable(table) {
    var heads = all("thead th", table);
    var bodies = Array.prototype.slice.call(table.tBodies);
    var order = bodies.map(function (body) {
      return Array.prototype.slice.call(body.rows);
    });
    var state = { column: -1, down: false };
    function restore() {
      bodies.forEach(function (body, k) {
        order[k].forEach(function (row) {
          body.appendChild(row);
          row.classList.remove("away");
        });
      });
    }
    function sort(column, down) {
      restore();
      if (column < 0) return;
      var rows = [];
      bodies.forEach(function (body) {
        Array.prototype.slice.call(body.rows).forEach(function (row) {
          if (row.classList.contains("heading")) row.classList.add("away");
          else rows.push({ row: row, value: valueOf(row, column) });
        });
      });
      rows.sort(function (a, b) {
        var found = compare(a.value, b.value);
        return down && a.value !== null && b.value !== null ? -found : found;
      });
      rows.forEach(function (x) { bodies[0].appendChild(x.row); });
    }
    heads.forEach(function (head, column) {
      if (head.classList.contains("plot")) return;
      var press = button(head.textContent, function () {
        if (state.column !== column) state = { column: column, down: true };
        else if (state.down) state.down = false;
        else state.column = -1;
        heads.forEach(function (x) { x.removeAttribute("aria-sort"); });
        if (state.column >= 0) {
          head.setAttribute(
            "aria-sort", state.down ? "descending" : "ascending");
        }
        sort(state.column, state.down);
      });
      press.title = "Sort by " + head.textContent;
      head.textContent = "";
      head.appendChild(press);
    });
  }

  /* Filtering: rows whose text holds every word. */
  function filterable(table) {
    var rows = all("tbody tr:not(.heading)", table);
    if (rows.length < 12) return;
    var field = make("input", "", "filter");
    field.type = "search";
    field.placeholder = "Filter rows";
    field.setAttribute("aria-label", "Filter rows of: " +
      (table.caption ? table.caption.textContent : "table"));
    field.addEventListener("input", function () {
      var words = field.value.toLowerCase().split(/\s+/);
      rows.forEach(function (row) {
        var text = row.textContent.toLowerCase();
        var kept = words.every(function (w) { return text.indexOf(w) >= 0; });
        row.classList.toggle("filtered", !kept);
      });
    });
    var around = table.parentElement;
    around.parentElement.insertBefore(field, around);
  }

  all("table").forEach(function (table) {
    if (table.tHead && table.tHead.rows.length === 1) sortable(table);
    if (!table.classList.contains("forest")) filterable(table);
  });

  /* Showing and hiding arms, in every table and figure. */
  function arms() {
    var forest = page.querySelector("table.forest");
    if (!forest) return;
    var names = all("tr[data-arm]", forest).map(function (row) {
      return row.getAttribute("data-arm");
    });
    if (names.length < 3) return;
    var boxes = [];
    function apply() {
      var hidden = {};
      boxes.forEach(function (x) { if (!x.checked) hidden[" " + x.value] = 1; });
      all("[data-arm]").forEach(function (x) {
        var arm = " " + x.getAttribute("data-arm");
        x.classList.toggle("hidden-arm", arm in hidden);
      });
    }
    function setAll(on) {
      boxes.forEach(function (x) { x.checked = on; });
      apply();
    }
    var panel = make("details", "", "arms");
    panel.appendChild(make("summary", "Show and hide arms"));
    var list = make("div");
    names.forEach(function (name) {
      var label = make("label");
      var box = make("input");
      box.type = "checkbox";
      box.checked = true;
      box.value = name;
      box.addEventListener("change", apply);
      boxes.push(box);
      label.appendChild(box);
      label.appendChild(page.createTextNode(" " + name));
      list.appendChild(label);
    });
    list.appendChild(button("all", function () { setAll(true); }));
    list.appendChild(button("none", function () { setAll(false); }));
    panel.appendChild(list);
    return panel;
  }

  /* Opening and closing all. */
  var chapters = page.querySelector(".chapters");
  if (chapters) {
    var bar = make("div", "", "tools");
    var panel = arms();
    if (panel) bar.appendChild(panel);
    bar.appendChild(button("Open all", function () {
      all("details", chapters).forEach(function (x) { x.open = true; });
    }));
    bar.appendChild(button("Close all", function () {
      all("details", chapters).forEach(function (x) { x.open = false; });
    }));
    chapters.parentElement.insertBefore(bar, chapters);
  }

  /* Values at the pointer, at once; without a script browsers show titles. */
  var tip = make("div", "", "tip");
  tip.setAttribute("role", "presentation");
  tip.hidden = true;
  page.body.appendChild(tip);
  all("svg.strip > title, figure svg g[data-arm] > title")
    .forEach(function (title) {
      var place = title.parentElement;
      place.setAttribute("data-tip", title.textContent);
      title.remove();
    });
  addEventListener("pointermove", function (event) {
    var place = event.target.closest && event.target.closest("[data-tip]");
    tip.hidden = !place;
    if (!place) return;
    tip.textContent = place.getAttribute("data-tip");
    var room = innerWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(4, Math.min(event.clientX + 12, room)) + "px";
    tip.style.top = event.clientY + 16 + "px";
  });
})();
