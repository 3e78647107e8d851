"""Power failures: what could be found in a folder of which only what was synced is sure to be there. For chaos.py."""

import ctypes
import os
import pathlib
import shutil
import stat
import subprocess

PAGE = 4096


class PowerSupply:
    """Processes that are started with `environment(name)` may lose their power (`fail`) once they are killed."""

    def __init__(self, root, draw):
        self.draw, self.store = draw, root / "synced"
        self.store.mkdir()
        self.library = self.store / "synced.so"
        # Swift comes with one.
        compiler = os.environ.get("CC") or shutil.which("clang") or "cc"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(self.library),
                        str(pathlib.Path(__file__).with_name("synced.c")), "-ldl", "-lpthread"], check=True)
        self.functions = ctypes.CDLL(str(self.library))

    def environment(self, name):
        store = self.store / name
        store.mkdir(exist_ok=True)
        return {**os.environ, "LD_PRELOAD": str(self.library), "SYNCED_STORE": str(store)}

    def fail(self, name, folder):
        """Makes of the folder what the disk could hold: names as they are or as they were synced, content by pages."""
        store = self.store / name
        found = {}
        self.look(folder, found)
        made = self.tree(folder, store, found)
        for entry in list(os.scandir(folder)):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        shutil.rmtree(store)
        store.mkdir()
        self.build(folder, made, store)

    def key(self, path):
        room, at_current_folder = 96, -100
        buffer, mode = ctypes.create_string_buffer(room), ctypes.c_uint()
        if not self.functions.synced_key(
                at_current_folder, os.fsencode(path), buffer, ctypes.c_size_t(room), ctypes.byref(mode)):
            raise OSError(f"{path} is not there")
        return buffer.value.decode(), mode.value

    def look(self, folder, found):
        """What is there, by key: content, or the names in a folder."""
        names = {}
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            key, mode = self.key(entry.path)
            if stat.S_ISDIR(mode):
                names[entry.name] = key
                self.look(entry.path, found)
            elif stat.S_ISREG(mode):
                names[entry.name] = key
                found[key] = (mode, pathlib.Path(entry.path).read_bytes())
        key, mode = self.key(folder)
        found[key] = (mode, names)

    def tree(self, folder, store, found):
        return self.after(self.key(folder)[0], store, found)

    def after(self, key, store, found):
        """Mode, and content or names with what they stand for."""
        mode, now = found.get(key, (None, None))
        names, content = store / f"names-{key}", store / f"content-{key}"
        if isinstance(now, dict) or names.exists():
            synced = {}
            for line in names.read_bytes().decode(errors="surrogateescape").splitlines() if names.exists() else []:
                other, name = line.split("\t", 1)
                synced[name] = other
            kept = synced if now is None or self.draw.random() < 0.5 else now
            return mode or stat.S_IFDIR | 0o700, {
                name: self.after(other, store, found) for name, other in sorted(kept.items())}
        synced = content.read_bytes() if content.exists() else b""
        return mode or stat.S_IFREG | 0o600, self.content(synced, synced if now is None else now)

    def content(self, synced, now):
        """What was written since may be there, page by page."""
        if synced == now or self.draw.random() < 0.3:
            return synced
        length = len(self.draw.choice([synced, now]))
        pages = []
        for start in range(0, length, PAGE):
            end = min(start + PAGE, length)
            page = self.draw.choice([synced, now])[start:end]
            # Length that was kept without the page: it reads as zeros.
            pages.append(page + bytes(end - start - len(page)))
        return b"".join(pages)

    def build(self, folder, made, store):
        """What is there after the power came back is on the disk."""
        for name, (mode, content) in made[1].items():
            path = os.path.join(folder, name)
            if isinstance(content, dict):
                os.mkdir(path)
                self.build(path, (mode, content), store)
            else:
                pathlib.Path(path).write_bytes(content)
            os.chmod(path, stat.S_IMODE(mode))
            self.keep(path, store)
        self.keep(folder, store)

    def keep(self, path, store):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if not self.functions.synced_keep(descriptor, os.fsencode(store)):
                raise OSError(f"{path} cannot be kept")
        finally:
            os.close(descriptor)
