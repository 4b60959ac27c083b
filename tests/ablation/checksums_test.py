"""Tests of checksums of folders."""

import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.ablation import checksums


class ChecksumsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    (self.folder / 'model' / '0').mkdir(parents=True)
    self.weights = self.folder / 'model' / '0' / 'weights'
    self.weights.write_bytes(bytes(range(256)) * 9000)
    (self.folder / 'node.json').write_text('{}')
    checksums.write(self.folder, 'k')

  def test_what_is_as_it_was_has_no_fault(self):
    self.assertEqual(checksums.faults(self.folder, 'k'), {})
    self.assertEqual(checksums.strangers(self.folder), [])

  def test_of_named_files_only(self):
    checksums.write(self.folder, 'k', ['node.json'])
    self.weights.unlink()
    self.assertEqual(checksums.faults(self.folder, 'k'), {})

  def _flip(self):
    values = bytearray(self.weights.read_bytes())
    values[1_200_000] ^= 1
    self.weights.write_bytes(values)

  def _swap_for_a_link(self):
    there = self.folder.with_name('elsewhere')
    os.replace(self.weights, there)
    self.weights.symlink_to(there)

  def _swap_for_a_pipe(self):
    self.weights.unlink()
    os.mkfifo(self.weights)

  @parameterized.parameters(
    (_flip, 'is damaged: its checksum differs'),
    (lambda self: self.weights.unlink(), 'is not there'),
    (lambda self: os.truncate(self.weights, 7), 'is damaged'),
    (lambda self: self.weights.write_bytes(b''), 'is damaged'),
    (_swap_for_a_link, 'cannot be read'),
    (_swap_for_a_pipe, 'is no regular file'),
  )
  def test_the_file_is_named(self, damage, expected):
    damage(self)
    found = checksums.faults(self.folder, 'k')
    self.assertEqual(list(found), ['model/0/weights'])
    self.assertIn(expected, found['model/0/weights'])

  def test_the_files_of_something_else_do_not_fit(self):
    found = checksums.faults(self.folder, 'other')
    self.assertEqual(
      found, {checksums.NAME: "was written for 'k', not for 'other'"}
    )

  @parameterized.parameters(
    ('', 'is damaged'),
    ('[]', 'holds no checksums'),
    ('{"of": "k"}', 'holds no checksums'),
    ('{"of": "k", "files": {"a": 1}}', 'holds no checksums'),
    ('{"of": 1, "files": {}}', 'holds no checksums'),
    ('{"of": "k", "files": {"node.json": ""}}', 'its own checksum differs'),
    ('[' * 100_000, 'is damaged'),
  )
  def test_damaged_checksums(self, text, expected):
    (self.folder / checksums.NAME).write_text(text)
    found = checksums.faults(self.folder, 'k')
    self.assertEqual(list(found), [checksums.NAME])
    self.assertRegex(found[checksums.NAME], expected)

  def test_any_flipped_bit_is_seen_in_its_own_file(self):
    path = self.folder / checksums.NAME
    whole = path.read_bytes()
    for at in range(len(whole)):
      values = bytearray(whole)
      values[at] ^= 1
      path.write_bytes(values)
      found = checksums.faults(self.folder, 'k')
      # White space says nothing.
      if found or whole[at : at + 1] not in b' \n':
        self.assertEqual(list(found), [checksums.NAME], at)

  @parameterized.parameters('../a', '/etc/passwd', '')
  def test_checksums_of_files_elsewhere(self, name):
    with mock.patch.object(checksums, '_digest', return_value=''):
      checksums.write(self.folder, 'k', [name])
    found = checksums.faults(self.folder, 'k')
    self.assertEqual(found, {checksums.NAME: f"is damaged: it names '{name}'"})

  def test_without_checksums(self):
    (self.folder / checksums.NAME).unlink()
    self.assertEqual(
      checksums.faults(self.folder, 'k'), {checksums.NAME: 'is not there'}
    )

  def test_what_was_added_is_a_stranger(self):
    (self.folder / 'model' / '1').mkdir()
    (self.folder / 'model' / '1' / 'weights').write_text('')
    (self.folder / 'model' / '2').symlink_to(self.folder)
    self.assertEqual(
      checksums.strangers(self.folder), ['model/1/weights', 'model/2']
    )

  def test_the_same_whatever_the_order(self):
    text = (self.folder / checksums.NAME).read_text()
    self.assertEqual(
      list(json.loads(text)['files']), ['model/0/weights', 'node.json']
    )


if __name__ == '__main__':
  absltest.main()
