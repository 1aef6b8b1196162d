"""The SPDX document beside the packages: valid, and true of the packages, of the programs and of this machine."""
import copy
import functools
import glob
import hashlib
import json
import os
import re
import subprocess

import pytest

from conftest import ROOT, built_file, elf_files, readelf, said

# What SPDX 2.3 requires of each element, clauses 6 to 11 of its specification.
REQUIRED = {
    "packages": {"name", "SPDXID", "downloadLocation"},
    "files": {"fileName", "SPDXID", "checksums"},
    "relationships": {"spdxElementId", "relationshipType", "relatedSpdxElement"},
    "hasExtractedLicensingInfos": {"licenseId", "extractedText"}}
FOLDERS = re.compile(r"/usr/(?:local/)?include/[\w./+-]+")


@pytest.fixture(scope="session")
def text():
    (path,) = glob.glob(f"{ROOT}/build/packages/*.spdx.json")
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture(scope="session")
def document(text):
    return json.loads(text)


def by_id(document):
    return {each["SPDXID"]: each for each in document["packages"] + document["files"]}


def related(document, element, kind):
    """The names of the packages that an element has this relation to."""
    elements = by_id(document)
    return {elements[r["relatedSpdxElement"]]["name"] for r in document["relationships"]
            if r["spdxElementId"] == element and r["relationshipType"] == kind}


def file_element(document, package, path):
    where = "." + path[len(package.root):]
    contained = {r["relatedSpdxElement"] for r in document["relationships"]
                 if r["relationshipType"] == "CONTAINS" and
                 by_id(document)[r["spdxElementId"]]["name"] == package.name}
    return next((f["SPDXID"] for f in document["files"] if f["fileName"] == where and f["SPDXID"] in contained),
                None)


@functools.cache
def owners(path):
    """The Debian packages of a path or pattern, for the architecture of the programs."""
    ended = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
    folder = said("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    names = set()
    for line in ended.stdout.splitlines():
        packages, _, place = line.rpartition(": ")
        if "*" not in path or f"/{folder}/" in place or "/lib64/" in place:
            names |= {each.strip().split(":")[0] for each in packages.split(",")}
    return names


@functools.cache
def source(name):
    return said("dpkg-query", "-W", "-f", "${source:Package}\n", name).split()[0]


def libraries_left_out(document, packages):
    """A sentence for each library that a program loads and the document does not name for it."""
    for package in packages.values():
        for path in elf_files(package):
            element = file_element(document, package, path)
            named = related(document, element, "DYNAMIC_LINK")
            for soname in re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("--dynamic", path)):
                owner = owners(f"*/{soname}")
                assert owner, f"no installed package has {soname}"
                if not owner & named:
                    yield f"{os.path.basename(path)} needs {soname} of {', '.join(sorted(owner))}"


def test_it_has_what_spdx_requires(document):
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    assert document["SPDXID"] == "SPDXRef-DOCUMENT" and document["name"]
    assert re.match(r"urn:uuid:[0-9a-f-]{36}$", document["documentNamespace"])
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", document["creationInfo"]["created"])
    assert all(re.match(r"(Person|Organization|Tool): .", c) for c in document["creationInfo"]["creators"])
    for kind, fields in REQUIRED.items():
        assert document[kind]
        for each in document[kind]:
            assert not fields - set(each) and all(each[field] for field in fields), each
    for each in document["packages"]:
        assert each["filesAnalyzed"] == ("packageVerificationCode" in each), each["name"]


def test_its_ids_are_unique_and_every_relation_has_both_ends(document):
    ids = [each["SPDXID"] for each in document["packages"] + document["files"]]
    assert len(ids) == len(set(ids))
    assert all(re.match(r"SPDXRef-[A-Za-z0-9.-]+$", each) for each in ids)
    known = {*ids, document["SPDXID"]}
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known, relation


def test_it_describes_the_packages(document, packages):
    assert related(document, "SPDXRef-DOCUMENT", "DESCRIBES") == set(packages)
    for each in document["packages"]:
        if each["name"] not in packages:
            continue
        package = packages[each["name"]]
        assert each["versionInfo"] == package.fields["Version"]
        assert each["packageFileName"] == os.path.basename(package.path)
        assert each["licenseDeclared"] == "Apache-2.0"
        with open(package.path, "rb") as file:
            assert each["checksums"] == [{"algorithm": "SHA256",
                                          "checksumValue": hashlib.sha256(file.read()).hexdigest()}]


def test_it_has_the_checksums_of_every_file(document, packages):
    elements = by_id(document)
    for package in packages.values():
        first = []
        for where in sorted(package.files):
            path = package.root + where
            if os.path.islink(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            sums = {"SHA1": hashlib.sha1(data).hexdigest(), "SHA256": hashlib.sha256(data).hexdigest()}
            first.append(sums["SHA1"])
            element = elements[file_element(document, package, path)]
            assert {c["algorithm"]: c["checksumValue"] for c in element["checksums"]} == sums, where
        (own,) = [each for each in document["packages"] if each["name"] == package.name]
        assert own["packageVerificationCode"]["packageVerificationCodeValue"] == \
            hashlib.sha1("".join(sorted(first)).encode()).hexdigest()


def test_every_library_that_a_program_loads_is_in_it(document, packages):
    assert not list(libraries_left_out(document, packages))


def test_a_library_that_is_left_out_is_found(document, packages):
    """The check above, on documents without one of the relations."""
    loaded = [r for r in document["relationships"] if r["relationshipType"] == "DYNAMIC_LINK"]
    assert len(loaded) > 20
    for relation in loaded[::5]:
        without = copy.copy(document)
        without["relationships"] = [r for r in document["relationships"] if r != relation]
        name = by_id(document)[relation["relatedSpdxElement"]]["name"]
        left_out = list(libraries_left_out(without, packages))
        assert left_out and all(words.endswith(f" of {name}") for words in left_out), left_out


def test_every_library_that_was_compiled_in_is_in_it(document, packages):
    """As the programs' line tables say, which name the folders of the headers with code in them."""
    seen = set()
    for package in packages.values():
        for path in elf_files(package):
            element = file_element(document, package, path)
            named = related(document, element, "DYNAMIC_LINK") | related(document, element, "STATIC_LINK")
            sources = {source(name) for name in named}
            lines = said("readelf", "--string-dump=.debug_line_str", built_file(path))
            for folder in set(FOLDERS.findall(lines)):
                owner = owners(folder)
                if len(owner) == 1:  # a folder that several packages share tells nothing
                    seen |= owner
                    assert source(*owner) in sources, f"{path}: {folder} is of {owner}"
    assert {"libmsgpack-cxx-dev", "nlohmann-json3-dev", "libcli11-dev", "libexpected-dev"} <= seen


def test_versions_are_those_of_this_machine(document, packages):
    others = [each for each in document["packages"] if each["name"] not in packages]
    assert len(others) > 15
    for each in others:
        if "versionInfo" not in each:
            assert "not installed" in each["comment"]
            continue
        version, arch = said("dpkg-query", "-W", "-f", "${Version} ${Architecture}\n", each["name"]).split()[:2]
        assert each["versionInfo"] == version
        (reference,) = each["externalRefs"]
        assert reference["referenceType"] == "purl"
        assert reference["referenceLocator"].startswith(f"pkg:deb/debian/{each['name']}@")
        assert reference["referenceLocator"].endswith(f"?arch={arch}")


def test_licences_are_those_of_the_copyright_files(document):
    declared = {each["name"]: each["licenseDeclared"] for each in document["packages"]}
    assert declared["libuv1"] == "MIT" and declared["zlib1g"] == "Zlib"
    assert declared["libnettle8"] == "(LGPL-3.0-or-later OR GPL-2.0-or-later)"
    texts = {each["licenseId"]: each["extractedText"] for each in document["hasExtractedLicensingInfos"]}
    assert "LGPL-3" in texts[declared["libzmq5"]] or "Lesser" in texts[declared["libzmq5"]]
    assert declared["libsqlite3-0"].startswith("LicenseRef-") and "public" in texts[declared["libsqlite3-0"]]
    # Of its own format, in which no program can read what the whole is under.
    assert declared["libc6"] == "NOASSERTION"
    for licence in declared.values():
        for reference in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", licence):
            assert texts[reference]


def test_every_dependency_of_a_package_is_in_it(document, packages):
    for package in packages.values():
        (element,) = [each["SPDXID"] for each in document["packages"] if each["name"] == package.name]
        named = related(document, element, "DEPENDS_ON")
        for clause in package.fields.get("Depends", "").split(","):
            names = {each.split()[0] for each in clause.split("|")}
            provided = {name for name in named if re.search(
                rf"(^|[ ,])({'|'.join(map(re.escape, names))})([ ,]|$)",
                said("dpkg-query", "-W", "-f", "${Provides}\n", name) if name not in packages else "")}
            assert names & named or provided, f"{package.name}: {clause}"


def test_two_runs_write_the_same_bytes(text, packages, tmp_path):
    for package in packages.values():
        os.symlink(package.path, tmp_path / os.path.basename(package.path))
    path = said(f"{ROOT}/tools/sbom", "--packages", str(tmp_path)).strip()
    with open(path, "rb") as file:
        assert file.read() == text


@pytest.mark.parametrize("options, words", [
    (["--packages", "{folder}"], "has no packages"),
    (["--build", "{folder}"], "is not a finished build")])
def test_what_it_cannot_read_is_an_error(tmp_path, options, words):
    ended = subprocess.run([f"{ROOT}/tools/sbom", *(o.format(folder=tmp_path) for o in options)],
                           capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and words in ended.stderr and not ended.stdout
