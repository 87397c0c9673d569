"""Macros of the hostile corpus."""


def define_env(env):
    """Register the macros that the pages call."""

    @env.macro
    def code(language, *lines):
        """One fence with the lines given."""
        return "\n".join([f"```{language}", *lines, "```"])

    @env.macro
    def paragraphs(count):
        """Prose of several lines: what follows moves down."""
        return "\n\n".join(f"Generated paragraph {n}." for n in range(count))

    @env.macro
    def nothing():
        """Nothing at all: what follows moves up."""
        return ""

    @env.macro
    def statements(*names):
        """Python statements, one a line, for use inside a fence."""
        return "\n".join(f"{name} = 1" for name in names)

    @env.macro
    def several(language, *bodies):
        """Several fences with prose between them."""
        return "\n\nGenerated prose.\n\n".join(code(language, body) for body in bodies)

    env.variables["port"] = 8000
