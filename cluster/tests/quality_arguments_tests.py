"""What cluster/quality refuses before it starts anything."""

import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import quality  # noqa: E402


class QualityArgumentsTests(unittest.TestCase):
    def test_numbers_below_one_and_two_kinds_at_once_are_refused(self):
        for wrong in (["--ranking", "0"], ["--ranking", "-5"], ["--whole", "-1"], ["--seeds", "0"], ["--workers", "0"],
                      ["--shards", "x"], ["--samples", "\u00b2"], ["--slices", "1,2", "--ranking"], ["--keep", "folder"],
                      ["--slices", "1", "--variants", "file"], ["--slices", "1", "--kept-only"],
                      ["--kept-only", "--keep", "folder"]):
            with self.subTest(wrong), self.assertRaises(SystemExit) as stopped, \
                    contextlib.redirect_stderr(io.StringIO()):
                quality.parsed(wrong)
            self.assertEqual(stopped.exception.code, 2)

    def test_an_empty_list_of_slices_is_not_the_run_without_any(self):
        self.assertEqual(quality.parsed(["--slices", ""]).slices, "")

    def test_what_the_page_says_is_taken(self):
        found = quality.parsed(["--slices", "1,2", "--shards", "1", "--keep", "folder", "--kept-only", "--", "--rank", "4"])
        self.assertEqual((found.slices, found.shards, found.settings), ("1,2", 1, ["--rank", "4"]))
        self.assertEqual(quality.parsed(["--ranking"]).ranking, 200)


if __name__ == "__main__":
    unittest.main()
