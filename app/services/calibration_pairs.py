"""What every embedding model is shown to be calibrated: questions, and the passages that answer them."""

from typing import Final

#: Of different subjects, so that each question is answered by its own passage alone.
PAIRS: Final = (
    (
        "How long does it take for bread dough to rise?",
        (
            "After kneading, cover the bowl with a cloth and leave it in a warm place. With fresh yeast the "
            "dough doubles in about an hour; in a cold kitchen it may need two, and overnight in the "
            "refrigerator gives the best taste. Press it with a finger: if the dent comes back slowly, the loaf "
            "is ready for the oven."
        ),
    ),
    (
        "What happens when a tenant does not pay the rent on time?",
        (
            "Rent is due on the third working day of each month. If it has not arrived by the tenth, the "
            "landlord sends a reminder and may charge a late fee of five per cent. After two months in arrears "
            "the lease can be ended without notice, unless the amount is settled in full before the hearing."
        ),
    ),
    (
        "Why is the sky blue?",
        (
            "Sunlight is a mixture of all colours. On its way through the atmosphere it meets molecules of "
            "nitrogen and oxygen, which scatter short waves much more than long ones. So the blue part reaches "
            "our eyes from every direction, while red and yellow come straight from the sun, most of all at "
            "dusk."
        ),
    ),
    (
        "connection pool timeout setting",
        (
            "The client keeps up to pool_size open sockets to the database. When all of them are busy, a "
            "request waits for at most pool_timeout seconds (default 30) and then fails with an error. Raise "
            "the limit if your workers hold transactions for long, or lower it to see overload sooner."
        ),
    ),
    (
        "symptoms of an underactive thyroid",
        (
            "Patients with hypothyroidism often complain of tiredness, feeling cold, dry skin and a gain in "
            "weight although they eat little. The pulse is slow, the hair becomes thin. A blood test that shows "
            "high TSH and low free T4 confirms the diagnosis; treatment is a daily tablet of levothyroxine."
        ),
    ),
    (
        "Who may vote in the general assembly of the association?",
        (
            "Every member of full age who has paid the annual subscription has one vote. Votes may be "
            "transferred in writing to another member, who can hold at most two. Resolutions need a simple "
            "majority of those present; to change the statutes, three quarters are required. The chair decides "
            "a tie."
        ),
    ),
    (
        "how do I change the brake pads of my bicycle",
        (
            "Take the wheel out and push the pistons back with a plastic lever. Remove the pin that holds the "
            "old pads, slide them out together with the spring, and insert the new set. Refit the wheel, then "
            "squeeze the lever several times until it feels firm. Bed them in with a dozen hard stops."
        ),
    ),
    (
        "revenue growth in the second quarter",
        (
            "Compared with the same period of last year, sales rose by 14 per cent to 3.2 billion euros in the "
            "three months to June. The increase came mainly from Asia and from services, whereas turnover in "
            "Europe remained flat. Operating profit improved to 410 million, helped by lower freight costs."
        ),
    ),
    (
        "Where do swallows spend the winter?",
        (
            "In September the birds gather on wires and leave for the south. They cross the Mediterranean and "
            "the Sahara, feeding on insects in flight, and reach the grasslands of southern Africa within six "
            "weeks. There they moult before they return to their old nests in spring."
        ),
    ),
    (
        "cancel a subscription and get a refund",
        (
            "You can end your plan at any time under Account, Billing. It stays active until the period that "
            "you have paid for is over. If you cancel within 14 days after the purchase, we give the money back "
            "to the card that was charged; later payments are not returned."
        ),
    ),
)
