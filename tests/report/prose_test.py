"""Tests of templates of words, and of how they are read."""

import dataclasses
import pathlib
import re

import jinja2
import jinja2.meta
import jinja2.nodes
from absl.testing import absltest, parameterized

from fusion_jax.report import facts, prose

_TEMPLATES = pathlib.Path(prose.__file__).parent / 'templates'
_DOCUMENTS = sorted(
  str(x.relative_to(_TEMPLATES).with_suffix(''))
  for x in _TEMPLATES.rglob('*.txt')
)
_CODE = '\n'.join(
  x.read_text(encoding='utf-8')
  for x in sorted(pathlib.Path(prose.__file__).parents[1].rglob('*.py'))
)
# Those whose every passage is written at once.
_WHOLE = ('answers', 'methods', 'notes')


def _parsed(document):
  made = prose.environment(escapes=False, keeps_lines=False)
  source, *_ = made.loader.get_source(made, f'{document}.txt')
  return made.parse(source)


def _blocks(document):
  return [x.name for x in _parsed(document).find_all(jinja2.nodes.Block)]


def _called(document, function):
  """The constants that a document calls a function with, call by call."""
  calls = []
  for call in _parsed(document).find_all(jinja2.nodes.Call):
    if isinstance(call.node, jinja2.nodes.Name) and call.node.name == function:
      calls.append([x.value for x in call.args])
  return calls


def _named(document, passages):
  """All names that some passages have to be given."""
  return {
    name
    for block in _parsed(document).find_all(jinja2.nodes.Block)
    if block.name in passages
    for name in jinja2.meta.find_undeclared_variables(
      jinja2.nodes.Template(
        block.body,
        environment=prose.environment(escapes=False, keeps_lines=False),
      )
    )
  }


class ProseTest(parameterized.TestCase):
  def test_a_passage_is_one_line(self):
    text = prose.passage(
      'first',
      'use_arm',
      arm='joint',
      margin=0.02,
      parameters=12345,
      seconds=3.5,
      slope=None,
      caveat='',
    )
    self.assertEqual(
      text, 'joint: no other arm is better by .02 (12.3k parameters, 3.5 s)'
    )

  def test_a_name_that_is_not_known_is_an_error(self):
    with self.assertRaises(jinja2.UndefinedError):
      prose.passage('first', 'also')

  def test_only_some_passages(self):
    found = prose.passages(
      'plan', only=('few',), verdict='superior', fewest=3, few=50, folds=2
    )
    self.assertEqual([*found], ['few', 'few_of_fold'])

  def test_nothing_is_escaped_twice(self):
    """The page and the cards escape; a passage is plain text."""
    text = prose.passage('first', 'capped', shown=['<b>&'], more=0)
    self.assertEqual(text, '<b>&')
    page = prose.environment(escapes=True, keeps_lines=True)
    shown = page.from_string('{{ text }}').render(text=text)
    self.assertEqual(shown, '&lt;b&gt;&amp;')

  def test_a_name_that_looks_like_a_template_stays_a_name(self):
    arm = '{{ 7 * 7 }}{% if x %}'
    self.assertEqual(prose.passage('first', 'capped', shown=[arm], more=0), arm)

  def test_lists_and_counts(self):
    self.assertEqual(prose.listed(['a', 'b', 'c']), 'a, b and c')
    self.assertEqual(prose.listed(['a']), 'a')
    self.assertEqual(prose.listed([]), '')
    self.assertEqual(prose.many(1234, 'study'), '1,234 studies')
    self.assertEqual(prose.many(1, 'study'), '1 study')


class DocumentsTest(parameterized.TestCase):
  @parameterized.parameters(*_WHOLE)
  def test_all_that_a_document_names_is_known(self, document):
    """Also in branches that no run of the tests takes."""
    known = {x.name for x in dataclasses.fields(facts.Facts)}
    module = {'answers': 'checklists', 'notes': 'content'}.get(
      document, document
    )
    source = (_TEMPLATES.parent / f'{module}.py').read_text(encoding='utf-8')
    known |= set(re.findall(r'^    (\w+)=', source, re.MULTILINE))
    named = _named(document, _blocks(document))
    for passage, *other in _called(document, 'passage'):
      named |= _named(*(other or [document]), [passage])
    self.assertEmpty(named - known - {'passage'})

  @parameterized.parameters(*_DOCUMENTS)
  def test_what_a_document_names_is_given_somewhere(self, document):
    known = {x.name for x in dataclasses.fields(facts.Facts)}
    for pattern in (r'\b(\w+)=', r"'(\w+)'"):
      known |= set(re.findall(pattern, _CODE))
    self.assertEmpty(_named(document, _blocks(document)) - known - {'passage'})

  def test_the_glossary_names_facts(self):
    known = {x.name for x in dataclasses.fields(facts.Facts)} | {'passage'}
    made = prose.environment(escapes=False, keeps_lines=False)
    for entries in prose.data('glossary').values():
      for pair in entries.items():
        named = jinja2.meta.find_undeclared_variables(
          made.parse(' '.join(pair))
        )
        self.assertEmpty(named - known, pair)

  @parameterized.parameters(*_DOCUMENTS)
  def test_every_passage_is_used(self, document):
    used = {
      name for x in _DOCUMENTS for name, *_ in _called(x, 'passage')
    } | set(re.findall(r"'(\w+)'", _CODE))
    if document not in _WHOLE:
      for name in _blocks(document):
        part = re.sub(r'_(title|caption|details)$', '', name)
        lead = name.startswith('lead_')
        self.assertTrue(lead or used & {name, part}, name)

  @parameterized.parameters(*_DOCUMENTS)
  def test_passages_that_are_referred_to_exist(self, document):
    for name, *other in _called(document, 'passage'):
      self.assertIn(name, _blocks(*(other or [document])))

  def test_works_that_are_cited_exist_and_the_other_way_round(self):
    cited = {
      key for x in _DOCUMENTS for call in _called(x, 'cite') for key in call
    }
    self.assertEqual(cited, set(prose.data('references')))


if __name__ == '__main__':
  absltest.main()
