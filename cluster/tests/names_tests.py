"""No script hides a module of this folder behind a name of its own."""

import ast
import pathlib
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent.parent


def hidden(text, modules):
    """(line, name) of what is assigned, or taken as a parameter, under the name of a module that the text imports."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imported = {(name.asname or name.name) for node in nodes if isinstance(node, ast.Import) for name in node.names} & modules
    assigned = [(node.lineno, node.id) for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    taken = [(node.lineno, node.arg) for node in nodes if isinstance(node, ast.arg)]
    return sorted(found for found in assigned + taken if found[1] in imported)


class NamesTests(unittest.TestCase):
    def test_a_name_that_hides_a_module_is_found(self):
        text = "import cores\nimport os\ncores = os.cpu_count()\n\ndef go(cores):\n    pass\n"
        self.assertEqual(hidden(text, {"cores", "load"}), [(3, "cores"), (5, "cores")])
        self.assertEqual(hidden("import os\ncores = os.cpu_count()\n", {"cores"}), [])

    def test_no_module_is_hidden(self):
        modules = {script.stem for script in FOLDER.glob("*.py")}
        for script in sorted(FOLDER.glob("*.py")):
            with self.subTest(script=script.name):
                self.assertEqual(hidden(script.read_text(encoding="utf-8"), modules), [])


if __name__ == "__main__":
    unittest.main()
