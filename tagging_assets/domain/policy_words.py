"""The words behind ``policy``: data only, lower case, singular.

A word belongs in :data:`ALWAYS` only where no thing is called by it; what is also the name of things goes into
:data:`OF_A_PERSON` (refused alone or beside a person) or, where it is mostly harmless, before a person only.
"""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """One phrase per line or semicolon, longest first so that a part never shadows the whole."""
    lines = (line.split() for line in text.replace("\n", ";").split(";") if line.strip())
    return tuple(sorted((tuple(line) for line in lines), key=lambda phrase: (-len(phrase), phrase)))


#: Words for people, professions aside.
PEOPLE = _set(
    """
    person man woman boy girl guy gal lady gentleman male female human adult teen teenager youth child kid baby
    toddler infant model bride couple family friend crowd actor actress athlete dancer singer worker student wife
    husband mother father mom dad son daughter sister brother user believer worshipper follower community population
    """
)

#: Words for their looks and origin.
LOOKS = _set(
    """
    face skin skinned complexion facial feature eye hair body beauty portrait selfie descent ancestry heritage origin
    ethnicity nationality race appearance appearing looking
    """
)

#: Words for what a person's body, face and age are like, beyond :data:`PEOPLE` and :data:`LOOKS`.
BODY = _set(
    """
    hairstyle haircut ponytail twintail braid bang ahoge bob dreadlock blonde blond brunette redhead eyelash eyebrow
    pupil iris ear nose mouth lip tooth teeth tongue fang cheek chin jaw forehead neck shoulder collarbone arm armpit
    elbow wrist hand finger fingernail thumb torso navel midriff stomach belly abs waist hip thigh knee leg ankle foot
    feet toe toenail barefoot freckle dimple scar wrinkle beard mustache moustache stubble goatee sideburn bald blush
    smile smiling grin frown pout crying muscular muscle bicep plump fat skinny slim slender curvy chubby petite tall
    elderly aged mature solo eyelashe sidelock heterochromia sclera tareme tsurime jitome undercut updo ganguro gyaru
    pectoral kneepit tanline skindentation birthmark tattoo piercing toned manly tomboy androgynous bishounen genderswap
    crossdressing sibling twin expressionless embarrassed smirk smug wince laughing tear tearing drooling nosebleed
    """
)

#: Word sequences that do the same though their words are harmless.
BODY_PHRASES = _phrases(
    """
    one side up; two side up; double bun; side bun; braided bun; drill lock; side drill; hime cut; buzz cut; bowl cut
    pixie cut; piece tan; bikini tan; bare back; age difference; age comparison; age progression; age regression
    height difference; size difference
    """
)

#: Tags that say no more than that somebody is there.
SOMEBODY = frozenset({("person",), ("human",), ("crowd",), ("group", "of", "person")})

#: Words that add nothing to an attribute that otherwise stands alone, e.g. "south asian", "ethnicity: asian".
FILLERS = _set(
    """
    south north east west southeast northeast southwest central northern southern eastern western half part mixed
    pure native look style type category tag attribute religion ethnic race of the a an is are person very mostly
    """
)

_ETHNIC = _set(
    """
    asian african caucasian hispanic latino latina latinx arab arabian arabic persian indian chinese japanese korean
    vietnamese thai filipino filipina indonesian malaysian mongolian tibetan pakistani bangladeshi nepali afghan
    iranian iraqi syrian turkish kurdish egyptian moroccan nigerian kenyan ethiopian somali ghanaian jamaican haitian
    cuban mexican brazilian colombian peruvian argentinian venezuelan american european british english irish
    scottish welsh french german italian spanish portuguese dutch swedish norwegian danish finnish icelandic russian
    ukrainian polish czech slavic slovak hungarian romanian bulgarian serbian croatian greek albanian armenian
    georgian israeli australian canadian nordic scandinavian mediterranean semitic indigenous aboriginal maori
    polynesian eskimo inuit ebony oriental eurasian berber bantu zulu negroid mongoloid
    """
)

#: Attributes that also name animals, food, buildings and styles: refused alone or beside a person.
OF_A_PERSON: dict[str, frozenset[str]] = {
    "ethnicity": _ETHNIC,
    "religion": _set(
        """
        christian muslim moslem islamic jewish hindu sikh buddhist catholic protestant orthodox mormon evangelical
        jain shinto taoist religious religion baptist lutheran anglican methodist amish quaker monk
        """
    ),
    "health": _set("blind deaf sick ill patient injured drunk mute lame albino aid unhealthy healthy autism fever"),
    "sexual orientation": _set("bi trans queer ace"),
}

#: Refused wherever they stand as a whole word.
ALWAYS: dict[str, frozenset[str]] = {
    "ethnicity": _set(
        """
        ethnicity biracial multiracial interracial mulatto mestizo mestiza negro negress gypsy romani racial
        amerindian afroamerican
        """
    ),
    "religion": _set("jew nun rabbi imam mullah ayatollah atheist agnostic islamist hasidic haredi priest missionary"),
    "health": _set(
        """
        disabled disability handicapped autistic diabetic diabetes cancer hiv pregnant pregnancy depression depressed
        anorexic anorexia bulimia bulimic obese obesity overweight underweight illness disease diseased sickness
        amputee amputation prosthetic prosthesis acne eczema psoriasis vitiligo albinism dwarfism epilepsy epileptic
        asthma asthmatic alzheimer dementia schizophrenia schizophrenic bipolar addict addiction alcoholic alcoholism
        infection infected contagious paralyzed paralysed paraplegic quadriplegic tumor tumour disorder syndrome
        vaccinated unvaccinated covid chemotherapy miscarriage suicidal malnourished
        """
    ),
    "sexual orientation": _set(
        """
        gay lesbian homosexual homosexuality heterosexual bisexual bisexuality pansexual asexual lgbt lgbtq lgbtqia
        transgender transgendered transsexual transwoman transman nonbinary genderqueer sapphic yuri yaoi
        """
    ),
    "explicit content": _set(
        """
        nsfw nude nudity nudist naked porn porno pornography pornographic hentai xxx sex sexual sexually sexy explicit
        erotic erotica eroticism fetish bdsm bondage masturbation masturbating orgasm intercourse cum cumshot blowjob
        handjob fellatio cunnilingus anal topless bottomless dildo vibrator stripper striptease upskirt ecchi futanari
        creampie gangbang threesome ejaculation semen aroused lewd hetero erection bukkake rape lactation paizuri ahegao
        doggystyle fingering footjob deepthroat irrumatio femdom loli lolicon shota shotacon oral pantyshot undressing
        orgy prostitution prostitute voyeurism incest molestation groping cuckold condom hickey
        cumdrip precum penetration penetrated ejaculating futa fucked fucking fuck shibari spanking spanked indecency
        exhibitionism exhibitionist frottage guro pee peeing uncensored
        """
    ),
    "intimate body parts": _set(
        """
        breast boob tit boobie nipple areola areolae areolas cleavage buttock butt ass booty genital genitalia penis
        vagina vaginal vulva clitoris testicle scrotum labia crotch groin pubic anus underboob sideboob cameltoe pussy
        penise foreskin dick boner busty bulge buttcrack
        underbutt clitoral urethral
        """
    ),
}

#: Word sequences that are refused though their words are harmless.
PHRASES: dict[str, tuple[tuple[str, ...], ...]] = {
    "ethnicity": _phrases(
        """
        mixed race; middle eastern; middle east person; pacific islander; native american; first nation; person of color
        person of colour; colored person; coloured person; skin color; skin colour; skin tone; dark skin; dark skinned
        light skin; light skinned; fair skin; fair skinned; brown skin; brown skinned; black skin; black skinned
        white skin; white skinned; pale skin; pale skinned; olive skin; yellow skin; tan skin; asian looking
        """
    ),
    "religion": _phrases("jehovah witness; born again; religious belief; religious affiliation"),
    "health": _phrases(
        """
        down syndrome; hearing impaired; visually impaired; mental illness; mentally ill; special need; wheelchair user
        wheelchair bound; hard of hearing; medical condition; skin condition; eating disorder; heart attack
        """
    ),
    "sexual orientation": _phrases("same sex; sexual orientation; non binary; drag queen; gender identity"),
    "explicit content": _phrases(
        """
        see through; adult content; not safe for work; rating questionable; spread leg; girl on top
        cowgirl position; missionary position; panties aside; cleft of venus; object insertion; large insertion
        ball gag; bit gag; ring gag; virgin killer; strap on
        """
    ),
    "intimate body parts": _phrases(
        """
        flat chest; large chest; big chest; small chest; huge chest; big bust; large bust; small bust; bust size
        cup size; big cock; huge cock; large cock; hard cock; erect cock; private part; camel toe
        """
    ),
}

#: Adjectives that are mostly colours of things; refused only right before a person.
COLOUR_BEFORE_PERSON = _set("black white brown yellow colored coloured")

#: The same for a word that is mostly a shape.
ORIENTATION_BEFORE_PERSON = _set("straight")

#: Things whose names hold a refused word.
THINGS = _phrases(
    """
    naked mole rat; wild ass; bum bag; cigarette butt; water butt; pork butt; chicken breast; turkey breast
    duck breast; breast pocket; breast stroke; breast plate; great tit; blue tit; coal tit; marsh tit; crested tit
    cancer magister; cancer irroratus; cancer borealis; plant disease; moby dick; gypsy moth; hearing aid; band aid
    first aid; baby face powder; skin care; face mask; body painting; flat chest of drawer; large chest of drawer
    small chest of drawer; big chest of drawer; anal fin; priest hole; portrait orientation; asexual plant
    """
)
