"""Variants of training: what a file of them may say, which cases are told apart, and what is paired with what."""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

CLUSTER = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CLUSTER))
import variants  # noqa: E402

ARGUMENTS = argparse.Namespace(shards=4, samples=1024, partition="user-hash", settings=[], workers=1)


def prompts(digest="digest", training="trained on", **others):
    return types.SimpleNamespace(digest=digest, training=lambda samples: f"{samples} {training}", **others)


PROMPTS = prompts()


def read(entries):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "variants.json")
        path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        return variants.from_file(path, ARGUMENTS)


class VariantsTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name, "one", "model.gguf")
        self.model.parent.mkdir()
        self.model.write_bytes(b"model")
        self.choose(self.model)

    def choose(self, model):
        patched = mock.patch.dict(os.environ, {"LETHE_MODEL": str(model)})
        patched.start()
        self.addCleanup(patched.stop)

    def test_the_file_that_is_here_is_one(self):
        found = variants.from_file(CLUSTER / "variants.json", ARGUMENTS)
        self.assertIsNone(found[0].of)
        self.assertTrue(any(variant.of for variant in found))

    def test_what_is_not_a_variant_is_refused_by_name(self):
        for wrong in ({"a": {"setting": []}}, {"a": []}, {}, [], "{", {"a": {"of": "b"}}, {"a": {}, "b": {"of": "c"}},
                      {"a": {}, "b": {"of": "a"}, "c": {"of": "b"}}, {"a": {"settings": "--rank 16"}}, {"a": {"shards": "4"}},
                      {"a": {"samples": -1}}, {"a": {"shards": True}}, {"a": {}, "b": {"of": "a", "seeds": 0}},
                      {"a": {"import": [1]}}, {"a": {"template": "{title}"}}, '{"a": {}, "a": {"shards": 2}}'):
            with self.subTest(wrong), self.assertRaises(SystemExit) as stopped:
                read(wrong)
            self.assertIn("variants.json", str(stopped.exception.code))

    def test_cases_of_other_settings_samples_shards_seeds_and_words_have_other_names(self):
        found = read({"a": {}, "b": {"settings": ["--rank", "16"]}, "c": {"samples": 256}, "d": {"shards": 1},
                      "e": {"import": ["--negatives", "1"]}, "f": {"template": {"item": "{title}"}}})
        names = [variants.case_name(ARGUMENTS, seed, variant, PROMPTS) for variant in found for seed in (1, 2)]
        names.append(variants.case_name(ARGUMENTS, 1, found[0], prompts("other words")))
        names.append(variants.case_name(ARGUMENTS, 1, found[0], prompts(training="other people")))
        self.assertEqual(len(set(names)), len(names))

    def test_another_model_of_the_same_name_has_other_cases_and_the_same_one_elsewhere_has_the_same(self):
        def name():
            return variants.case_name(ARGUMENTS, 1, read({"a": {}})[0], PROMPTS)
        first = name()
        for folder, content in (("two", b"model"), ("three", b"other")):
            path = self.model.parent.parent / folder / "model.gguf"
            path.parent.mkdir()
            path.write_bytes(content)
            self.choose(path)
            with self.subTest(folder):
                (self.assertEqual if content == b"model" else self.assertNotEqual)(name(), first)

    def test_a_variant_that_is_renamed_keeps_its_cases(self):
        first, second = (read({name: {"settings": ["--rank", "16"]}})[0] for name in ("rank 16", "a higher rank"))
        self.assertEqual(*(variants.case_name(ARGUMENTS, 1, variant, PROMPTS) for variant in (first, second)))

    def test_what_changes_nothing_is_one_slice(self):
        arguments = argparse.Namespace(**vars(ARGUMENTS), slices="1")
        self.assertEqual(*(variants.case_name(ARGUMENTS, 1, variant, PROMPTS)
                           for variant in (read({"a": {}})[0], variants.of_slices("1", arguments))))

    def test_slices_with_and_without_averaging_are_told_apart(self):
        names = {variants.case_name(ARGUMENTS, 1, variants.of_slices(text, ARGUMENTS), PROMPTS)
                 for text in ("1", "1:steps", "2", "2:steps", "2:none", "4")}
        self.assertEqual(len(names), 6)

    def test_what_is_no_number_of_slices_is_refused_by_name(self):
        for wrong in ("x", "", "0", "-1", "4.5", "²", "4:", "4:often", ":none", "none:4"):
            with self.subTest(wrong), self.assertRaises(SystemExit) as stopped:
                variants.of_slices(wrong, ARGUMENTS)
            self.assertIn(f"--slices {wrong!r}", str(stopped.exception.code))

    def measured(self, keep, slices):
        """Names of the variants that are trained for it, and of those that the table has."""
        trained = []
        def train(_arguments, _seed, variant, _prompts):
            trained.append(variant.name)
            return {"margins": {split: [3, 0, 1, 2] for split in variants.SPLITS}, "seconds": 2, "tokens": 100, "bytes": 5}
        labels = {split: [True, True, False, False] for split in variants.SPLITS}
        arguments = argparse.Namespace(**vars(ARGUMENTS), slices=slices, keep=str(keep), kept_only=False, seeds=1, first_seed=1)
        with mock.patch.object(variants, "Prompts", lambda _folder, _variant: prompts(labels=labels)), \
                mock.patch.object(variants, "train_and_score", train), mock.patch.object(variants, "say"), \
                mock.patch.object(variants, "table"):
            report = variants.measure(arguments)
        return trained, [row["variant"] for row in report["rows"] if row["split"] == "test"]

    def test_a_case_under_two_names_is_trained_once_and_found_under_names_of_before(self):
        both = "4,4:polynomial,1,1:none,4:none"
        with tempfile.TemporaryDirectory() as folder:
            keep = pathlib.Path(folder)
            self.assertEqual(self.measured(keep, both), (["4", "1", "4:none"], both.split(",")))
            self.assertEqual(len(list(keep.iterdir())), 3)
            for path in list(keep.iterdir()):
                path.rename(keep / path.name.replace("-slices-4-", "-slices-4-polynomial-").replace("-slices-1-", "-slices-1-none-"))
            self.assertEqual(self.measured(keep, both), ([], both.split(",")))
            self.assertEqual(self.measured(keep, "4:steps,2"), (["4:steps", "2"], ["4:steps", "2"]))

    def test_seeds_are_joined_with_the_next_ones_and_only_where_all_are_there(self):
        found = read({"a": {}, "two": {"of": "a", "seeds": 2}})
        cases = {(seed, "a"): {"margins": {split: [seed, -seed] for split in variants.SPLITS}, "seconds": 10, "tokens": seed}
                 for seed in (1, 2, 3)}
        made = variants.joined(cases, found[1], [1, 2, 3])
        self.assertEqual([made[seed, "two"]["margins"]["test"] for seed in (1, 2, 3)], [[1.5, -1.5], [2.5, -2.5], [2, -2]])
        self.assertEqual(made[1, "two"]["tokens"], 3)
        self.assertEqual(variants.joined({key: cases[key] for key in list(cases)[:2]}, found[1], [1, 2, 3]).keys(), {(1, "two")})
        self.assertEqual(variants.joined(cases, found[1], [1]), {})

    def test_differences_are_paired_over_the_seeds_that_both_have(self):
        found = read({"a": {}, "b": {"settings": ["--rank", "16"]}})
        labels = {"test": [True, True, False, False]}
        def case(margins):
            return {"margins": {"test": margins}, "seconds": 2, "tokens": 100, "bytes": 5}
        cases = {(1, "a"): case([3, 0, 1, 2]), (1, "b"): case([3, 2, 1, 0]), (2, "b"): case([0, 1, 2, 3])}
        first, second = variants.report_on(cases, found, labels)
        self.assertNotIn("difference", first)
        self.assertEqual((second["seeds"], second["auc"], second["difference"]), ([1, 2], 0.5, 0.5))
        self.assertNotIn("standard_error_seeds", second)


if __name__ == "__main__":
    unittest.main()
