"""What the demo's people say: dialogues by channel, and answers for whatever a visitor types.

A dialogue is a list of exchanges, each what the customer says and what an agent answers; its last one
says goodbye. Only words stand here; who says them when is in `customers.py` and `desk.py`.
"""

from __future__ import annotations

from typing import Final

Dialogue = tuple[tuple[str, str], ...]

DIALOGUES: Final[dict[str, tuple[Dialogue, ...]]] = {
    "shop": (
        (
            (
                "Hi! Is the Arc floor lamp in stock?",
                "It is, in black and in brass. Which one were you thinking of?",
            ),
            (
                "Brass. How long does delivery take?",
                "Two to three working days, and it is free above 80 euros.",
            ),
            ("Great, I'll order it. Thank you!", "My pleasure. Enjoy the lamp!"),
        ),
        (
            (
                "I need light for a long dining table, 2.4 m.",
                "Two pendants side by side suit that length: the Duo set?",
            ),
            ("Can they be dimmed?", "Yes, with any trailing-edge dimmer. Bulbs are included."),
            (
                "Could you hold one set for me until Friday?",
                "Done, under your e-mail address. Just mention it.",
            ),
            ("Perfect, bye!", "See you on Friday. Goodbye!"),
        ),
    ),
    "tienda": (
        (
            (
                "Hola, ¿tienen la lámpara Arco en color latón?",
                "Hola, sí, quedan cuatro. ¿Se la enviamos a casa?",
            ),
            ("Sí, ¿cuánto tarda?", "Dos o tres días laborables, y el envío es gratis."),
            ("Estupendo, la pido ahora. ¡Gracias!", "Gracias a usted. ¡Que la disfrute!"),
        ),
        (
            ("Busco una luz cálida para leer en la cama.", "La Nido va muy bien: 2700 K y brazo flexible."),
            ("¿Se puede montar en la pared?", "Sí, trae los tornillos y la plantilla."),
            ("¿Y tiene garantía?", "Tres años, y treinta días para devolverla."),
            ("Perfecto, muchas gracias, adiós.", "A usted. ¡Buenas noches y buena lectura!"),
        ),
        (
            (
                "¿Hacen precio para un hotel pequeño? Son 24 habitaciones.",
                "Sí, a partir de veinte unidades. ¿Qué modelo?",
            ),
            (
                "La Nido, dos por habitación.",
                "Cuarenta y ocho: un doce por ciento menos. Le mando la oferta por correo.",
            ),
            ("Muy bien, la espero. Hasta luego.", "La tiene en una hora. ¡Hasta luego!"),
        ),
    ),
    "help": (
        (
            (
                "My lamp flickers since yesterday.",
                "Sorry about that. Does it flicker without the dimmer, too?",
            ),
            (
                "No, only with the dimmer.",
                "Then the dimmer's least load is too high. We'll send you a small adapter.",
            ),
            ("Oh, nice. That's all, thanks!", "It is on its way. Have a good day!"),
        ),
        (
            ("The foot of my Arc arrived scratched.", "I'm sorry! Could you tell me the order number?"),
            ("It's on the invoice: 40213.", "Thank you. A new foot goes out today; keep the old one."),
            ("Do I have to send anything back?", "No, nothing at all."),
            ("Great service, thanks, bye.", "Thank you for your patience. Bye!"),
        ),
        (
            ("How do I pair the remote?", "Hold its button for five seconds while the lamp blinks."),
            (
                "It blinks, but nothing else.",
                "Then put in a fresh battery, the one inside is only for the shop.",
            ),
            ("That was it! Thanks.", "Wonderful. Goodbye!"),
        ),
    ),
    "ayuda": (
        (
            ("La lámpara no se enciende después de montarla.", "Vamos a verlo. ¿Funciona con otra bombilla?"),
            ("No, tampoco.", "Entonces es el transformador. Le enviamos otro mañana, sin coste."),
            ("¿Tengo que devolver el viejo?", "No hace falta, puede reciclarlo."),
            ("Gracias por la ayuda.", "A usted, y disculpe la molestia. ¡Adiós!"),
        ),
        (
            ("Me falta un tornillo en la caja.", "Lo siento. ¿Es el largo o el corto?"),
            ("El largo, el de la base.", "Sale hoy por correo con dos de repuesto."),
            ("Qué rápido, gracias.", "De nada. ¡Hasta pronto!"),
        ),
    ),
    "accounts": (
        (
            (
                "I was charged twice for order 39881.",
                "Let me look. Yes, the second one was not cancelled; I refund it now.",
            ),
            ("How long until I see the money?", "Three to five working days, it depends on your bank."),
            ("Thanks for sorting it out.", "Sorry for the trouble. Goodbye!"),
        ),
        (
            (
                "I need an invoice with my company's tax number.",
                "Gladly. Please write the number and the order.",
            ),
            ("ESB8300, order 40112.", "The new invoice is in your mailbox in a minute."),
            ("Got it, thank you.", "You're welcome. Bye!"),
        ),
    ),
}

SPANISH: Final = frozenset({"tienda", "ayuda"})
"""The channels on which people speak Spanish; on the others English."""

CALLERS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("Alice Moore", "Brian Kelly", "Chloe Evans", "Daniel Reed", "Fiona Walsh", "George Hall", "Hannah Price",
           "Ian Murphy", "Julia Stone", "Kevin Burke", "Laura Finch", "Martin Shaw"),
    "es": ("Alba Ruiz", "Bruno Torres", "Celia Vega", "David Mora", "Elena Gil", "Fabio Rey", "Gema Soto", "Hugo Pardo",
           "Irene Luna", "Javier Cano", "Marta Vidal", "Nuria Sanz"),
}  # fmt: skip

GREETING: Final = {"en": "Hello, {agent} here. ", "es": "Hola, soy {agent}. "}
TAKEN_OVER: Final = {
    "en": "Hello, {agent} here. I have read what you wrote. How can I help?",
    "es": "Hola, soy {agent}. He leído lo anterior. ¿En qué le ayudo?",
}
ANSWERS_TO_ANYTHING: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "Let me look that up for you. One moment, please.",
        "I see. Could you tell me a little more?",
        "Good question. I have written it down and will come back to you by e-mail.",
        "Thank you, that helps.",
    ),
    "es": (
        "Lo miro ahora mismo. Un momento, por favor.",
        "Entiendo. ¿Me puede contar un poco más?",
        "Buena pregunta. Lo apunto y le escribo por correo.",
        "Gracias, con eso me ayuda mucho.",
    ),
}

NOTES: Final[dict[str, str]] = {
    "shop": "Asked about a lamp, was advised.",
    "tienda": "Preguntó por una lámpara; informado.",
    "help": "Fault found, spare part sent.",
    "ayuda": "Avería resuelta, recambio enviado.",
    "accounts": "Invoice put right.",
}

_ANSWERS: Final = {says: answer for talks in DIALOGUES.values() for talk in talks for says, answer in talk}
_GOODBYES: Final = frozenset(talk[-1][0] for talks in DIALOGUES.values() for talk in talks)


def language_of(channel: str) -> str:
    """What people speak on a channel."""
    return "es" if channel in SPANISH else "en"


def answer_to(text: str) -> str | None:
    """What an agent answers to a line of a dialogue; None to anything else."""
    return _ANSWERS.get(text)


def is_goodbye(text: str) -> bool:
    """Whether the customer has nothing more to say."""
    return text in _GOODBYES
