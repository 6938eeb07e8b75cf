"""What the model is to reach (issue 3, "Done when"), each figure beside its goal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`figure` is to be at most `at_most`, or at least `at_least`."""

    what: str
    figure: float
    at_most: float | None = None
    at_least: float | None = None
    digits: int = 2

    @property
    def met(self) -> bool:
        """False for a figure that is not a number."""
        if self.at_most is not None:
            return self.figure <= self.at_most
        return self.figure >= self.at_least

    def row(self) -> str:
        """A line of the table."""
        bound = f"<= {self.at_most:g}" if self.at_most is not None else f">= {self.at_least:g}"
        return f"| {self.what} | {self.figure:.{self.digits}f} | {bound} | {'met' if self.met else '**not met**'} |"


def goal_table(goals: list[Goal]) -> list[str]:
    """Markdown."""
    met = sum(g.met for g in goals)
    return [f"Done when: {met} of {len(goals)} met.", "", "| figure | found | goal | |", "|---|---|---|---|"] + [
        g.row() for g in goals
    ]
