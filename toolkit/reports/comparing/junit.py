"""A comparison as JUnit XML: a suite per cell, a test per measurement, a failure per regression."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgekit.common.figures import printable
from edgekit.reports.comparing.matrices import Comparison
from edgekit.reports.comparing.rows import Row


def junit(comparisons: Sequence[Comparison]) -> bytes:
    """The XML that CI systems read (the common subset of Jenkins, GitLab and GitHub reporters).

    Measurements that are not on both sides are skipped; those without a clear difference
    pass. ``time`` is the new median of a measurement in seconds.
    """
    root = ElementTree.Element("testsuites", name="edgekit compare")
    for item in comparisons:
        suite = ElementTree.SubElement(root, "testsuite", name=printable(item.label))
        cases = [_case(suite, item.label, row) for row in item.rows] or [_note(suite, item)]
        for name in ("failure", "skipped"):
            suite.set(
                name + ("s" if name == "failure" else ""), str(sum(case.find(name) is not None for case in cases))
            )
        suite.set("tests", str(len(cases)))
        suite.set("errors", "0")
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(suite: ElementTree.Element, label: str, row: Row) -> ElementTree.Element:
    case = ElementTree.SubElement(suite, "testcase", classname=printable(label), name=printable(row.name))
    if row.unit == "s" and row.new is not None:
        case.set("time", f"{row.new:.9f}")
    base, new, ratio, bounds = row.cells
    figures = f"{base} -> {new}, ratio {ratio}, 95 % interval {bounds}"
    if row.regressed:
        failure = ElementTree.SubElement(case, "failure", message=f"{row.verdict}: {figures}", type="Regression")
        failure.text = f"{printable(row.name)} got {row.verdict} by more than was allowed: {figures}"
    elif row.verdict == "not measured":
        ElementTree.SubElement(case, "skipped", message=f"not measured on both sides: {figures}")
    else:
        ElementTree.SubElement(case, "system-out").text = f"{row.verdict}: {figures}"
    return case


def _note(suite: ElementTree.Element, item: Comparison) -> ElementTree.Element:
    case = ElementTree.SubElement(suite, "testcase", classname=printable(item.label), name="cell")
    kind = "failure" if item.lost else "skipped"
    ElementTree.SubElement(case, kind, message=printable(item.note))
    return case
