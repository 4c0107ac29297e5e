"""Passages with two queries of each kind, from unlike fields, where a team has none of its own."""

EXAMPLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Heat pump maintenance\nOutdoor unit\nIce on the coil is normal in damp weather near "
        "freezing: the unit reverses for a few minutes every hour and melts it. If the ice stays "
        "for more than a day, the drain below the unit is blocked or the fan does not turn; "
        "switch the unit off and clear leaves and snow before calling service.",
        (
            "is it bad when my heat pump is frozen over in winter",
            "heat pump defrost cycle how often",
            "outside unit covered in ice all day, what can I check myself",
            "blocked condensate drain heat pump symptoms",
            "how long may ice stay on the coil of a heat pump",
            "my heating blows cold every hour while it snows",
        ),
    ),
    (
        "store.Session.expire_all\nForget the state of every instance in the session. Each is read "
        "again from the database when one of its attributes is used next. Pending changes that "
        "were not flushed are lost. Called by commit() unless expire_on_commit is false.",
        (
            "how do I force objects to be read from the database again",
            "stale data after another process changed a row",
            "session refresh all instances",
            "do unsaved changes survive expiring a session",
            "after each commit my page suddenly runs dozens of queries",
            "turn off automatic expiry on commit",
        ),
    ),
    (
        "Parental leave for staff on fixed-term contracts\nThe entitlement ends with the contract. "
        "An application must reach Human Resources seven weeks before the leave begins; a "
        "contract is not extended by the leave, except for research posts under section 2.",
        (
            "can I take parental leave if my contract runs out next year",
            "how far ahead do I have to tell HR about parental leave",
            "parental leave temporary employees",
            "my contract ends in spring and the baby is due in winter",
            "notice period parental leave fixed term",
            "extension of doctoral contract after a child is born",
        ),
    ),
)
