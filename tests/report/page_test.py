from absl.testing import absltest

from fusion_jax.report import beside, page
from tests.report import parts, samples


class PageTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.plain = samples.sample(missing=True)
    cls.rich = parts.rich(cls.plain)
    cls.curves = parts.curves(cls.plain)
    cls.page = page.build(cls.rich, cls.curves)

  def test_no_section_is_empty_and_none_is_twice(self):
    names = [x.name for x in self.page.sections]
    self.assertLen(set(names), len(names))
    self.assertEqual(names[0], 'arms')
    for section in self.page.sections:
      self.assertTrue(section.lead or section.figures or section.tables)

  def test_names_of_files_are_told_apart(self):
    for found in (self.page.figures(), self.page.tables()):
      names = [x.name for x in found]
      self.assertLen(set(names), len(names))
      for name in names:
        self.assertEqual(name, beside.slug(name))

  def test_curves_show_few_arms(self):
    roc = next(x for x in self.page.figures() if x.name == 'curve_roc')
    self.assertLessEqual(len(roc.canvas.axes[0].lines), 7)
    self.assertIn('sensitivity against 1 - specificity', roc.details)

  def test_curves_by_label(self):
    by_label = {
      arm: {'roc': {'a b': x['roc'], 'c': x['roc']}}
      for arm, x in self.curves.items()
      if 'roc' in x
    }
    found = page.build(self.plain, by_label)
    names = [x.name for x in found.figures() if x.name.startswith('curve')]
    self.assertEqual(names, ['curve_roc_a_b', 'curve_roc_c'])


if __name__ == '__main__':
  absltest.main()
