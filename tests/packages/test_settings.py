"""The settings of the package: valid, and each key that the broker knows is explained in them."""
import re
import subprocess

from conftest import ROOT

PATH = "/etc/millrace/millraced.toml"


def check(packages, text, folder):
    """The broker's word on these settings, with its folders where a test may have them."""
    text = text.replace("/var/lib/", f"{folder}/").replace("/run/millrace/", f"{folder}/")
    path = folder / "millraced.toml"
    path.write_text(text.replace("/etc/millrace/", f"{folder}/etc/"))
    if not (folder / "etc").exists():
        subprocess.run([packages["millrace-cli"].root + "/usr/bin/millrace", "keys", "init", "--dir",
                        f"{folder}/etc"], timeout=60, capture_output=True, check=True)
    for name in ("millrace", "millrace-backup"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    program = packages["millrace-broker"].root + "/usr/bin/millraced"
    ended = subprocess.run([program, "--config", str(path), "--check-config"], timeout=60,
                           capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def shown(text):
    """With every default uncommented: the settings of a user who removes each #."""
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.M)


def test_they_are_valid(packages, tmp_path):
    text = packages["millrace-broker"].read(PATH)
    assert check(packages, text, tmp_path)[0] == 0, check(packages, text, tmp_path)[1]


def test_every_line_that_can_be_uncommented_is_valid(packages, tmp_path):
    text = shown(packages["millrace-broker"].read(PATH))
    assert text.count("\n[[topic]]\n") == 1
    assert check(packages, text, tmp_path)[0] == 0, check(packages, text, tmp_path)[1]
    # The check does see what is wrong.
    assert check(packages, text + "no_such_key = 1\n", tmp_path)[0] == 78


def test_every_key_is_explained(packages):
    text = shown(packages["millrace-broker"].read(PATH))
    with open(f"{ROOT}/broker/config.cc", encoding="utf-8") as file:
        source = file.read()
    lists = re.findall(r"\.known\(\w+,\s+\{([^}]*)\}", source)
    keys = {key for each in lists for key in re.findall(r'"(\w+)"', each)}
    assert len(lists) >= 5 and {"data_dir", "dead_max", "topic"} <= keys
    for key in keys:
        assert re.search(rf"^{key} = |^\[+{key}\]", text, re.M), f"{key} is not explained"
