import re
import xml.etree.ElementTree as ElementTree

import matplotlib
from absl.testing import absltest, parameterized

from fusion_jax.report import text
from fusion_jax.report.figures import forest, style
from tests.report import reader


def drawn(name='one', label='joint'):
  canvas = forest.draw(
    [forest.Line(label, text.Number(0.1, 0.0, 0.2))], axis='difference'
  )
  return style.Drawn(name, 'A < B', 'How to read it.', canvas, details='It is.')


class StyleTest(parameterized.TestCase):
  def test_files_are_the_same_twice(self):
    one, two = drawn(), drawn()
    self.assertEqual(one.svg, two.svg)
    self.assertEqual(one.pdf(), two.pdf())
    self.assertStartsWith(one.pdf(), b'%PDF')
    self.assertNotRegex(one.svg, r'<dc:date>')

  def test_svg_is_xml_with_text_as_text(self):
    root = ElementTree.fromstring(drawn(label='a & <b>').svg)
    texts = [x.text for x in root.iter('{http://www.w3.org/2000/svg}text')]
    self.assertIn('a & <b>', texts)
    self.assertIn('difference', texts)

  def test_inline_has_ids_of_its_own(self):
    pages = [drawn('one').inline(), drawn('two').inline()]
    ids = [x for page in pages for x in re.findall(r' id="([^"]+)"', page)]
    self.assertLen(set(ids), len(ids))
    for name, page in zip(('one', 'two'), pages, strict=True):
      used = re.findall(r'(?:url\(#|href="#)([^)"]+)', page)
      self.assertNotEmpty(used)
      self.assertEmpty(set(used) - set(ids))
      self.assertTrue(all(x.startswith(f'{name}-') for x in used))

  def test_inline_takes_the_page_s_colours_and_font(self):
    page = drawn().inline()
    self.assertIn('var(--s1)', page)
    self.assertIn('var(--ink)', page)
    self.assertEmpty(re.findall(r'#[0-9a-f]{6}\b', page))
    self.assertNotIn('font-family', page)
    self.assertNotIn('<style', page)
    self.assertNotIn('http', page)

  def test_inline_says_what_it_shows(self):
    found = reader.read(drawn().inline())
    self.assertIn('A < B', found.text)
    self.assertIn('It is. How to read it.', found.text)
    self.assertEqual(found.elements[0][1]['role'], 'img')

  def test_settings_of_a_user_change_nothing(self):
    expected = drawn().svg
    with matplotlib.rc_context({'font.size': 30, 'axes.facecolor': 'red'}):
      self.assertEqual(drawn().svg, expected)
      self.assertEqual(matplotlib.rcParams['font.size'], 30)

  def test_names_that_are_no_mathematics(self):
    canvas = style.new(2, 2)
    with style.context():
      axes = canvas.subplots()
      axes.plot([0, 1], label=style.label('_x'))
      axes.plot([0, 1], label=style.label('$y_{'))
      style.legend(canvas, axes)
    svg = style.Drawn('x', 'x', 'x', canvas).svg
    self.assertIn('_x</text>', svg)
    self.assertIn('$y_{</text>', svg)

  @parameterized.parameters(
    ('joint', 12, 'joint'),
    ('joint_raw_ehr', 13, 'joint_raw_ehr'),
    ('joint_raw_ehr', 12, 'joint_…w_ehr'),
    ('joint_raw_ehr', 3, 'j…r'),
  )
  def test_shortened(self, name, letters, expected):
    self.assertEqual(style.shortened(name, letters), expected)
    self.assertLessEqual(len(expected), letters)

  @parameterized.parameters(
    (('joint', 'late_mean', 'early_features'), 2),
    (('joint', 'a name that is long', 'and as long as this is'), 2),
    (('joint', 'a_model_with_a_very_long_name_indeed_it_is', 'image'), 1),
    (('a name of words ' * 10, 'joint'), 1),
  )
  def test_legends_are_not_cut(self, names, columns):
    with style.context():
      canvas = style.new(4.2, 3.9)
      axes = canvas.subplots()
      for name in names:
        axes.plot([0, 1], [0, 1], label=name)
      style.legend(canvas, axes)
    canvas.draw_without_rendering()
    (legend,) = canvas.legends
    starts = {round(x.get_window_extent().x0) for x in legend.get_texts()}
    self.assertLen(starts, columns)
    box = legend.get_window_extent()
    self.assertGreaterEqual(box.x0, 0)
    self.assertLessEqual(box.x1, canvas.bbox.width)

  def test_every_series_looks_different(self):
    looks = [str(style.look(k)) for k in range(6)]
    self.assertLen(set(looks), 6)


if __name__ == '__main__':
  absltest.main()
