from __future__ import annotations

import textwrap

import pytest

from deploylib.images.dockerfile import Dockerfile, instructions, read

WHOLE = (".",)

SOURCES = {
    "nothing": ("FROM scratch\nRUN true", ()),
    "files, folders, patterns": ("COPY a b/ c*.txt d?/[ef] /x/", ("a", "b", "c*.txt", "d?/[ef]")),
    "the whole context": ("COPY . /srv", WHOLE),
    "a slash is the context's root": ("COPY / /srv", WHOLE),
    "no way out of the context": ("COPY ../../a /b/../c/ ./d/./e /srv", ("a", "c", "d/e")),
    "lower case and tabs": ("copy\ta\t/b", ("a",)),
    "flags": ("COPY --link --chown=1:1 --chmod=755 a /b", ("a",)),
    "another stage": ("FROM x AS y\nCOPY --from=y a /b\nCOPY --chown=1 --from=0 c /d", ()),
    "another image": ("COPY --from=nginx:1 a /b", ()),
    "JSON": ('COPY ["a b", "c", "/d/"]', ("a b", "c")),
    "JSON after flags": ('ADD --chown=1 ["a,b", "/d/"]', ("a,b",)),
    "almost JSON is words": ("COPY [a] /b", ("[a]",)),
    "ADD": ("ADD a.tar.gz b /c/", ("a.tar.gz", "b")),
    "remote": ("ADD https://x.org/a.tgz git@x.org:a/b.git ssh://x/y a /b/", ("a",)),
    "remote with a checksum": ("ADD --checksum=sha256:ab --keep-git-dir=true http://x/y /b", ()),
    "continuation lines": ("COPY a \\\n  b \\   \n  /c", ("a", "b")),
    "comments and empty lines inside": ("COPY a \\\n# COPY x /y\n\n  # another \\\n  b /c", ("a", "b")),
    "a comment does not continue": ("# to come \\\nCOPY a /b", ("a",)),
    "an escaped backslash does not continue": ("RUN dir C:\\\\\nCOPY a /b", ("a",)),
    "another escape character": ("# escape=`\nCOPY a `\n b /c\nRUN x\\\nCOPY d /e", ("a", "b", "d")),
    "directives stand first": ("FROM x\n# escape=`\nCOPY a \\\n b /c", ("a", "b")),
    "syntax before escape": ("# syntax=docker/dockerfile:1\n# escape=`\nCOPY a `\n b /c", ("a", "b")),
    "a byte order mark": ("\ufeffCOPY a /b", ("a",)),
    "Windows line ends": ("FROM x\r\nCOPY a \\\r\n b /c\r\n", ("a", "b")),
    "RUN's here-document": ("RUN <<EOF\nCOPY x /y\nEOF\nCOPY a /b", ("a",)),
    "quoted, with tabs": ("RUN python3 <<-'END' > /o\n\tCOPY x /y\n\tEND\nCOPY a /b", ("a",)),
    "two here-documents": ("RUN 3<<A cat <<B\nCOPY x /y\nA\nCOPY z /y\nB\nCOPY a /b", ("a",)),
    "COPY's here-document": ('COPY <<one a <<"two" /b/\nCOPY x /y\none\nCOPY z /y\ntwo\nCOPY c /d', ("a", "c")),
    "a here-string is none": ("RUN cat <<<EOF\nCOPY a /b\nEOF", ("a",)),
    "in quotes it is none": ('RUN echo "x <<EOF y"\nCOPY a /b\nRUN echo \'x <<EOF y\'', ("a",)),
    "one without an end is none": ("RUN cat <<EOF\nCOPY a /b", ("a",)),
    "a shift is none": ("RUN echo $((1<<4))\nCOPY a /b", ("a",)),
    "every stage": ("FROM x AS y\nCOPY a /\nFROM z\nCOPY b /", ("a", "b")),
    "a bind mount": ("RUN --mount=type=bind,source=a,target=/b make", ("a",)),
    "a bind mount by default, of everything": ("RUN --mount=target=/src make", WHOLE),
    "src": ("RUN --network=none --mount=src=/a/b,dst=/c make", ("a/b",)),
    "other mounts": ("RUN --mount=type=cache,target=/c --mount=type=secret,id=a --mount=from=y,source=a z", ()),
    "a mount that is no flag": ("RUN echo --mount=type=bind,source=a,target=/b", ()),
    "ARG's default": ("FROM x\nARG D=dir\nCOPY $D/a ${D}b /c", ("dir/a", "dirb")),
    "ENV": ("FROM x\nENV D=dir E='e f'\nENV F g h\nCOPY $D/$E/${F} /c", ("dir/e f/g h",)),
    "a default for the unset": ("FROM x\nARG D=\nCOPY ${D:-a}/${D-b}c ${D:+x}${D+y} /d", ("a/c", "y")),
    "a variable of the parent image": ("FROM x\nCOPY ${UNKNOWN:-a}/b /c", WHOLE),
    "an argument without value": ("FROM x\nARG D\nCOPY $D/a /c", WHOLE),
    "an argument of before the first FROM": ("ARG D=a\nFROM x\nCOPY $D /c", WHOLE),
    "one that is declared again": ("ARG D=a\nFROM x\nARG D\nCOPY $D/b /c", ("a/b",)),
    "a stage that stands on a stage": ("FROM x AS y\nENV D=a\nARG E=b\nFROM y\nCOPY $D/$E /c", ("a/b",)),
    "a stage that does not": ("FROM x AS y\nENV D=a\nFROM z\nCOPY $D /c", WHOLE),
    "ENV before ARG": ("FROM x\nENV D=a\nARG D=b\nCOPY $D /c", ("a",)),
    "ENV sees what was before its line": ("FROM x\nENV D=a\nENV D=b E=$D\nCOPY $E /c", ("a",)),
    "text operations are not known": ("FROM x\nARG D=abc\nCOPY ${D#a} /c", WHOLE),
    "an escaped dollar": ("FROM x\nCOPY \\$D /c", ("$D",)),
    "single quotes keep a dollar": ("FROM x\nARG D=a\nCOPY '$D'b \"$D\"c /c", ("$Db", "ac")),
    "a remote in a variable": ("FROM x\nARG U=https://x.org/a\nADD $U /b", ()),
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES)
def test_sources(case: str) -> None:
    text, expected = SOURCES[case]
    assert set(read(text, {}).sources) == set(expected)


def test_a_given_argument_beats_its_default_and_only_where_it_is_declared() -> None:
    text = "ARG V=1\nFROM image:$V\nARG D=a\nCOPY $D /x\nCOPY $N /x\n"
    taken = read(text, {"D": "b", "V": "2", "N": "not declared"})
    assert taken == Dockerfile(
        sources=(".", "b"), arguments=("D", "V"), parents=("image:2",), onbuild_sources=(), origin="image:2"
    )


def test_arguments_of_every_stage_are_declared_several_on_a_line() -> None:
    text = "ARG A\nFROM x\nARG B=1 C='two words' D\nFROM y\nARG A\n"
    assert read(text, {}).arguments == ("A", "B", "C", "D")


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        ("FROM scratch", ()),
        ("FROM --platform=linux/arm64 debian:12 AS os\nFROM os\nFROM OS AS again", ("debian:12",)),
        ("ARG I=debian\nARG T=12\nFROM ${I}:${T:-11}", ("debian:12",)),
        ("FROM ${MISSING}", ("${MISSING}",)),
        ("FROM a\nCOPY --from=nginx:1 /x /y\nRUN --mount=from=go:1,target=/go make", ("a", "go:1", "nginx:1")),
        ("FROM a AS b\nFROM b\nCOPY --from=1 x y\nRUN --mount=from=b,target=/x make", ("a",)),
    ],
)
def test_parents_are_the_images_that_are_not_made_here(text: str, parents: tuple[str, ...]) -> None:
    assert read(text, {}).parents == parents


def test_what_onbuild_takes_is_left_to_the_images_that_start_from_this_one() -> None:
    taken = read("FROM x\nONBUILD COPY a /b\nONBUILD RUN --mount=source=c,target=/d make\nONBUILD USER me\n", {})
    assert taken.sources == ()
    assert taken.onbuild_sources == ("a", "c")


def test_instructions_know_their_lines() -> None:
    text = textwrap.dedent("""\
        # a comment
        FROM x

        RUN a \\
            b
        COPY c /d
    """)
    assert [(one.keyword, one.text, one.line) for one in instructions(text)] == [
        ("FROM", "x", 2),
        ("RUN", "a     b", 4),
        ("COPY", "c /d", 6),
    ]


@pytest.mark.parametrize(
    "text", ["", "FROM", "FROM --platform=a", "COPY", "COPY a", "ARG", "ENV", "ENV A", "ONBUILD", "\\", "RUN x \\"]
)
def test_what_docker_will_refuse_does_not_trip_the_reader(text: str) -> None:
    assert read(f"{text}\n", {}).sources == ()
