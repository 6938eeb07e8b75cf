"""The parts of `evaluate`: each measures one thing, and knows its table and its share of the goals.

A part is a module with `measure(bench, ...)` -> what goes into `evaluation.json`, `tables(found)` -> Markdown, and,
where there are goals for it, `goals(found)`.
"""
