"""Texts as councils write them, of one word to longer than the model reads; made up, from no notice."""

TEXTS = [
    "Grounds maintenance",
    "Payroll",
    "HR and payroll system (SaaS), replacement",
    "Framework for temporary agency staff",
    "Supply of gritting salt for winter service",
    "Dial-a-ride minibuses with wheelchair lifts",
    "Childrens residential care - block beds",
    "Legionella risk assessment and water hygiene monitoring",
    "Street lighting LED conversion and column replacement",
    "Kennelling of stray dogs, out of hours collection",
    "Banking and merchant acquiring services",
    "Multi-functional devices and print management software",
    "Leisure centre operator for two pools and an ice rink",
    "School catering including free meals for infants, halal and vegan menus and a cashless payment app",
    (
        "A hosted case management system for adult and children's social care, with a portal for providers, "
        "migration of twelve years of records and an interface to the ledger."
    ),
    "Removal and disposal of asbestos from void council homes at short notice, including air tests and certificates.",
    (
        "Independent advocacy for people who lack capacity and have nobody else to speak for them, in hospitals, care "
        "homes and the community, with statutory reports within five working days."
    ),
    (
        "The collection of food waste from 48,000 households each week, with caddies and liners, and its treatment by "
        "anaerobic digestion within forty miles of the depot."
    ),
    (
        "Tree surgery on highways, in parks and on housing land: crown lifting, felling, stump grinding and emergency "
        "call-out, to BS 3998, with a survey of every tree kept in the council's own system and stock for replanting."
    ),
    (
        "Home care for adults in four zones. Carers help with washing, dressing, meals and medication, day and night, "
        "and providers will take packages from hospital discharge within a day. Extra care schemes are let separately. "
        "Providers are registered with the regulator, pay for travel time, record visits electronically and train "
        "their staff in dementia and end of life care. Double-handed calls are reviewed every six weeks."
    ),
    "Insurance of buildings, contents, motor fleet, employers' and public liability, fidelity guarantee and travel",
    "Ecology survey (bats, newts); biodiversity net gain plans",
    "CCTV cameras, control room and monitoring staff",
    "Furniture: desks, task chairs, lockers; delivery, assembly and removal of what it replaces",
    "Microsoft licences through a reseller",
    " ".join(
        f"Lot {number}: {work} of {thing} in schools, libraries, depots and offices, on a schedule and on call."
        for number, (work, thing) in enumerate(
            [
                ("service and repair", "gas boilers and burners"),
                ("thorough examination", "passenger lifts and hoists"),
                ("inspection", "fixed electrical wiring and portable appliances"),
                ("maintenance", "fire alarms, extinguishers and emergency lighting"),
                ("cleaning", "kitchen extract ducts, windows and gutters"),
                ("repair", "roofs, rainwater goods and lightning conductors"),
                ("servicing", "automatic doors, roller shutters and barriers"),
                ("testing", "intruder alarms, access control and panic buttons"),
                ("renewal", "flooring, ceilings, partitions and toilets"),
                ("treatment", "rats, wasps, pigeons and bed bugs"),
                ("upkeep", "swimming pool plant, filters and chemical dosing"),
                ("support", "building management controls and energy meters"),
            ],
            1,
        )
    ),
]
