"""The machine code in the packages: hardened as cmake/hardening.cmake says, read from the files."""
import os
import re

import pytest

from conftest import built_file, elf_files, readelf, said

# (package, name): every program and library that the packages hold.
LIBRARY = ("libmillrace0", "libmillrace.so")
PROGRAMS = [("millrace-broker", "millraced"), ("millrace-cli", "millrace"),
            ("millrace-gateway", "millrace-gateway"), ("millrace-worker", "millrace-worker")]
FILES = [LIBRARY, *PROGRAMS]
COMPILED_WITH = {"-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fstack-protector-strong",
                 "-fstack-clash-protection"}
if os.uname().machine == "x86_64":
    COMPILED_WITH.add("-fcf-protection=full")
# What a program offers to libraries: net/connection_limiter.h stands in for these of the system.
OFFERED = {"millraced": {"accept", "accept4", "close"}}


def each_of(files):
    return pytest.mark.parametrize("package, name", files, ids=[name for _, name in files])


def name_of(path):
    """Without a library's version."""
    return re.sub(r"(?<=\.so)\..*", "", os.path.basename(path))


def path_of(packages, package, name):
    return next(path for path in elf_files(packages[package]) if name_of(path) == name)


def symbols(path):
    """(type, defined here, name without its version) of each dynamic symbol."""
    for line in readelf("--dyn-syms", path).splitlines():
        found = re.match(r"\s*\d+: \w+\s+\w+ (\w+)\s+\w+\s+\w+\s+(\w+) ([^@\s]+)", line)
        if found:
            yield found.group(1), found.group(2) != "UND", found.group(3)


def needed_functions(path):
    return {name for kind, defined, name in symbols(path) if kind == "FUNC" and not defined}


def test_no_file_is_left_out(packages):
    """What is packaged in future is checked too, or it is named here as missing from the list."""
    found = [(package.name, name_of(path)) for package in packages.values()
             for path in elf_files(package)]
    assert sorted(found) == FILES


@each_of(FILES)
def test_it_can_be_loaded_at_any_address(packages, package, name):
    path = path_of(packages, package, name)
    assert re.search(r"Type:\s+DYN ", readelf("--file-header", path))
    dynamic = readelf("--dynamic", path)
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic) or (package, name) == LIBRARY
    assert "TEXTREL" not in dynamic


@each_of(FILES)
def test_what_the_loader_resolved_is_read_only(packages, package, name):
    path = path_of(packages, package, name)
    assert re.search(r"^\s+GNU_RELRO ", readelf("--segments", path), re.M)
    dynamic = readelf("--dynamic", path)
    assert "BIND_NOW" in dynamic and re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic)


@each_of(FILES)
def test_no_memory_is_writable_and_executable(packages, package, name):
    segments = readelf("--segments", path_of(packages, package, name))
    stack = re.search(r"^\s+GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", segments, re.M)
    assert stack and stack.group(1) == "RW"
    loads = re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}(.{3})", segments, re.M)
    assert len(loads) > 1
    assert not [flags for flags in loads if "W" in flags and "E" in flags], loads


@each_of(FILES)
def test_it_loads_no_library_from_a_folder_of_its_own(packages, package, name):
    assert not re.search(r"\((?:RPATH|RUNPATH)\)", readelf("--dynamic", path_of(packages, package, name)))


@each_of(FILES)
def test_buffers_on_the_stack_and_calls_of_the_c_library_are_checked(packages, package, name):
    needed = needed_functions(path_of(packages, package, name))
    assert "__stack_chk_fail" in needed
    assert {"__fprintf_chk", "__snprintf_chk"} <= needed
    assert not needed & {"printf", "fprintf", "sprintf", "snprintf", "strcpy", "strcat"}


@each_of(FILES)
def test_every_source_was_compiled_with_the_flags(packages, package, name):
    """The packaged file is stripped; its build id finds the one it was made of, where the compiler
    has recorded its options for each source."""
    built = built_file(path_of(packages, package, name))
    producers = re.findall(r"DW_AT_producer\s*:\s*(.*)",
                           said("readelf", "--debug-dump=info", "--dwarf-depth=1", built))
    assert len(producers) > 10
    for producer in producers:
        options = set(producer.split())
        assert not COMPILED_WITH - options, producer
        assert options & {"-O2", "-O3"} and options & {"-fPIE", "-fPIC"}, producer


@each_of(PROGRAMS)
def test_it_offers_nothing_to_others_but_what_is_meant(packages, package, name):
    """The exports of the library have tests of their own in test_packages.py."""
    defined = [(kind, symbol) for kind, here, symbol in symbols(path_of(packages, package, name)) if here]
    assert {symbol for kind, symbol in defined if kind == "FUNC"} == OFFERED.get(name, set())
    assert not [symbol for _, symbol in defined if symbol.startswith(("_ZN8millrace", "_ZTVN8millrace"))]
