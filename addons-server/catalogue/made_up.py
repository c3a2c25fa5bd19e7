"""Makes up what add-ons say of themselves, from lists of words. The same source of chance makes up the same."""

from django.utils.text import slugify

CATEGORIES = {
    "firefox": [
        "Alerts and Updates", "Appearance", "Bookmarks", "Downloads", "Feeds and News", "Language", "Photos and Music",
        "Privacy and Security", "Reading", "Shopping", "Tabs", "Web Development",
    ],
    "thunderbird": [
        "Appearance", "Calendar", "Composing", "Contacts", "Folders", "Language", "Privacy and Security", "Reading",
    ],
    "android": ["Appearance", "Bookmarks", "Data Saving", "Photos and Music", "Privacy and Security", "Reading"],
    "seamonkey": ["Appearance", "Bookmarks", "Downloads", "Mail and News", "Privacy and Security", "Web Development"],
}  # fmt: skip
SHORT = ["quick", "quiet", "gentle", "bright", "tidy", "clever", "steady", "amber", "silver", "hidden", "patient", "tiny"]
LONG = [
    "Lantern", "Harbour", "Orchard", "Compass", "Meadow", "Bellows", "Pigeon", "Thimble", "Anchor", "Willow", "Kettle",
    "Sparrow", "Ledger", "Beacon", "Cobble", "Fathom", "Juniper", "Lattice", "Mortar", "Nettle", "Pebble", "Quarry",
]  # fmt: skip
THINGS = [
    "tabs", "bookmarks", "downloads", "windows", "pages", "links", "notes", "messages", "contacts", "pictures", "videos",
    "feeds", "forms", "cookies", "shortcuts", "searches",
]  # fmt: skip
ROLES = ["Keeper", "Gardener", "Folder", "Finder", "Guard", "Painter", "Counter", "Reader", "Mender", "Helper", "Sorter"]
DOES = ["sorts", "keeps", "finds", "hides", "counts", "folds away", "saves", "colours", "renames", "watches over"]
WHEN = [
    "while you read", "before you notice", "with one key", "without asking twice", "and forgets nothing", "on every page",
    "even offline", "and leaves no trace",
]  # fmt: skip
SKIES = ["Dusk", "Dawn", "Drizzle", "Frost", "Midsummer", "Northern Light", "Harvest", "First Snow", "Low Tide", "Noon"]
PROMISES = [
    "Nothing leaves your machine.", "There is nothing to set up.", "It starts with the browser and stays out of the way.",
    "All settings fit on one page.", "It knows the keyboard as well as the mouse.", "It works with any number of windows.",
    "What it keeps can be saved as a plain text file.", "It asks for no more rights than it needs.",
]  # fmt: skip
CHANGES = [
    "Starts faster.", "Uses less memory.", "A window that was closed too early comes back.", "New shortcuts.",
    "The settings page is easier to read.", "German translation.", "Mends a crash with very long titles.",
]  # fmt: skip
OPINIONS = {
    1: ["Did nothing for me.", "I had to take it off again.", "Broke my favourite page."],
    2: ["A good idea, but slow.", "Too many questions before it does anything."],
    3: ["Does what it says, no more.", "Fine, once I had found the settings."],
    4: ["Very useful, I miss only a shortcut.", "Good work. The icon could be prettier."],
    5: ["I cannot be without it any more.", "Simple and quick, just as it should be.", "The best of its kind, thank you!"],
}
PEOPLE = ["Ada", "Bruno", "Carla", "Dario", "Edda", "Fynn", "Greta", "Hanno", "Ines", "Jonas", "Kaya", "Lena", "Milo", "Nele"]


def extension(chance):
    """Return name, summary and description of an extension."""
    thing = chance.choice(THINGS)
    name = f"{chance.choice(SHORT).title()} {chance.choice([*LONG, thing.title()])} {chance.choice(ROLES)}"
    does = chance.choice(DOES)
    summary = f"{does.capitalize()} your {thing} {chance.choice(WHEN)}."
    return name, summary, _description(chance, f"{name} {does} your {thing}.")


def theme(chance):
    """Return name, summary and description of a theme."""
    place, sky = chance.choice(LONG), chance.choice(SKIES)
    name = f"{chance.choice(SHORT).title()} {place} at {sky}"
    return name, f"{sky} over the {place.lower()}, in {chance.choice(SHORT)} colours.", _description(chance, "A quiet theme.")


def _description(chance, first):
    """Return some paragraphs."""
    said = chance.sample(PROMISES, 4)
    return f"{first} {said[0]}\n\n{said[1]} {said[2]}\n\n{said[3]}"


def versions(chance):
    """Return numbers and notes of some versions, the oldest first."""
    major = chance.randint(0, 4)
    return [(f"{major}.{minor}", "\n".join(chance.sample(CHANGES, 2))) for minor in range(chance.randint(1, 5))]


def review(chance):
    """Return score and body of a review: most people are content."""
    score = chance.choices(list(OPINIONS), weights=[1, 1, 2, 5, 6])[0]
    return score, chance.choice(OPINIONS[score])


def collection(chance):
    """Return name and description of a collection."""
    return f"{chance.choice(PEOPLE)}’s {chance.choice(SHORT)} {chance.choice(THINGS)}", f"What I use {chance.choice(WHEN)}."


def usernames():
    """Return the names of the made-up users."""
    return [f"made-up-{slugify(name)}" for name in PEOPLE]
