"""The handbook of a valley that does not exist: enough plain sentences to build a small dataset from."""

from __future__ import annotations

from pathlib import Path

PAGES = {
    "bridge.md": """# The rope bridge

The rope bridge is a crossing of eleven planks above the river Aune. The bridge warden inspects every plank before
sunrise. If a plank shows a crack, the bridge warden closes the bridge until noon. When the river rises above the red
mark, the bridge is closed for carts. A cart must be unloaded before the wheels touch the first plank. The red mark is
painted by the council of millers. Two travellers may cross the bridge at the same time. If three travellers step on
the bridge together, the warden rings the copper bell. The copper bell is used to call the ferryman. Travellers can be
fined by the council of millers. The toll is waived when a traveller carries medicine. The warden keeps the bridge
open during the harvest because the mill needs grain.
""",
    "mill.md": """# The wind mill

The wind mill is a tower of grey stone with four sails. The miller grinds barley on Mondays and rye on Thursdays. If
the wind drops below nine knots, the miller locks the sails. When the sails are locked, the grain is stored in the dry
loft. The dry loft contains forty sacks of barley. A sack must be sealed with green wax before the carter lifts the
sack. Green wax is used to mark sealed grain. The mill stone is turned by a wooden shaft. The wooden shaft is greased
with sheep fat every evening. If the shaft squeaks, the apprentice greases the bearing again. The apprentice may not
touch the sails during a storm. The storm flag allows the miller to refuse new grain.
""",
    "ferry.md": """# The ferry

The ferry is a flat boat that crosses the river Aune at the deep bend. The ferryman answers the copper bell within one
hour. When the fog hides the far bank, the ferry is moored at the lower pier. If the mooring rope breaks, the ferryman
drops both anchors. The lower pier is built from oak. A horse must be blindfolded before the horse boards the ferry.
The ferry carries six sheep or two horses. The fare is paid in salt. Salt is used to preserve the winter fish. The
ferryman can be replaced by the bridge warden. The lantern is lit when the ferry leaves the pier after dusk. The ferry
was repaired after the flood of 1874.
""",
    "school.md": """# The valley school

The valley school is a house with three rooms and one stove. The teacher rings the hand bell at eight. If a pupil
misses four mornings, the teacher visits the family. When snow blocks the pass, the pupils are taught by the
shepherds. The stove must be fed with dry beech. The library contains ninety books about bees and weather. A book may
be borrowed by any family of the valley. The slate boards are cleaned with river sand. If the stove goes out, the
pupils sing until the room is warm. The school garden is divided into twelve beds. The oldest pupil keeps the weather
diary. The weather diary is used to predict the first frost.
""",
    "bees.md": """# The bee yards

The bee yard is a terrace of forty hives below the school. The beekeeper opens the hives at noon because the bees are
calm in the heat. If a hive loses its queen, the beekeeper joins two hives. When the heather blooms, the hives are
moved to the high moor. A hive must be closed with moss before the hive is moved. Smoke is used to calm the bees. The
honey is filtered through linen. The wax is sold to the candle maker. The candle maker can be paid in honey. If wasps
enter the yard, the beekeeper narrows the doors. The beekeeper should not wear dark wool. The swarm bell allows
neighbours to claim a swarm.
""",
    "council.md": """# The council of millers

The council of millers is a body of five members. The council meets under the lime tree on the first Sunday of the
month. If two members are absent, the meeting is postponed by a week. When a fine is disputed, the council hears both
neighbours. A decision must be signed by four members. The council seal is kept in an iron chest. The iron chest
contains the charter of 1792. The charter may be read by every resident. The clerk copies each decision into the blue
ledger. The blue ledger is used to settle old quarrels. If the clerk loses the key, the smith opens the chest. New
members are elected by the heads of the families.
""",
}

SEEDS = [
    "When is the rope bridge closed for carts?",
    "What does the miller do when the wind is weak?",
    "How is the ferryman called?",
    "Who may read the charter of the council?",
    "What happens if a hive loses its queen?",
    "Why does the beekeeper open the hives at noon?",
]

TASK = "Handbook of the valley: its bridge, mill, ferry, school, bees and council"


def write_valley(folder: Path) -> str:
    """Write the handbook into a folder; returns the folder as a corpus URI."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)
