"""Phrases of the notes that agents write, by language, reason and result.

Belongs here: texts. Does not belong here: which of them is chosen (`care`).
"""

from typing import Final

from telco_pipeline.contracts.codes import Reason

# A table of one row a line reads better wide.
# fmt: off

REASONS: Final = [str(reason) for reason in Reason]

_NL: Final = {
    "billing": ["Klant vraagt uitleg over de laatste factuur.", "Vraag over een aanrekening die de klant niet herkent.", "Klant wil de factuur gespreid betalen."],
    "network": ["Klant meldt slechte ontvangst thuis.", "Klant meldt trage mobiele data.", "Gesprekken vallen volgens de klant weg."],
    "device": ["Toestel start niet meer correct op.", "Vraag over de instellingen van een nieuw toestel.", "Batterij van het toestel loopt snel leeg."],
    "plan": ["Klant vraagt naar een ander abonnement.", "Vraag over het dataverbruik van deze maand.", "Klant wil meer data in de bundel."],
    "roaming": ["Vraag over kosten in het buitenland.", "Geen data in het buitenland volgens de klant."],
    "sim": ["Klant vraagt een nieuwe simkaart aan.", "Simkaart geblokkeerd na foute pincodes.", "Vraag over de overstap naar eSIM."],
    "general": ["Algemene vraag over de klantenzone.", "Klant wijzigt contactgegevens."],
}
_NL_END: Final = {"solved": "Opgelost tijdens het contact.", "callback": "Klant wordt teruggebeld.", "escalated": "Doorgegeven aan de tweede lijn.", "abandoned": "Klant haakte af in de wachtrij."}
_FR: Final = {
    "billing": ["Le client demande des explications sur sa dernière facture.", "Question sur un montant que le client ne reconnaît pas.", "Le client souhaite étaler le paiement de sa facture."],
    "network": ["Le client signale une mauvaise réception à domicile.", "Le client signale des données mobiles lentes.", "Selon le client, des appels sont coupés."],
    "device": ["L'appareil ne démarre plus correctement.", "Question sur les réglages d'un nouvel appareil.", "La batterie de l'appareil se vide rapidement."],
    "plan": ["Le client se renseigne sur un autre abonnement.", "Question sur la consommation de données du mois.", "Le client souhaite plus de données dans son forfait."],
    "roaming": ["Question sur les frais à l'étranger.", "Pas de données à l'étranger selon le client."],
    "sim": ["Le client demande une nouvelle carte SIM.", "Carte SIM bloquée après des codes PIN erronés.", "Question sur le passage à l'eSIM."],
    "general": ["Question générale sur l'espace client.", "Le client modifie ses coordonnées."],
}
_FR_END: Final = {"solved": "Résolu pendant le contact.", "callback": "Le client sera rappelé.", "escalated": "Transmis à la deuxième ligne.", "abandoned": "Le client a abandonné la file d'attente."}
_DE: Final = {
    "billing": ["Kunde bittet um Erklärung der letzten Rechnung.", "Frage zu einem Betrag, den der Kunde nicht kennt."],
    "network": ["Kunde meldet schlechten Empfang zu Hause.", "Kunde meldet langsame mobile Daten."],
    "device": ["Gerät startet nicht mehr richtig.", "Frage zu den Einstellungen eines neuen Geräts."],
    "plan": ["Kunde fragt nach einem anderen Tarif.", "Frage zum Datenverbrauch des Monats."],
    "roaming": ["Frage zu Kosten im Ausland.", "Keine Daten im Ausland laut Kunde."],
    "sim": ["Kunde beantragt eine neue SIM-Karte.", "SIM-Karte nach falschen PIN-Eingaben gesperrt."],
    "general": ["Allgemeine Frage zum Kundenbereich.", "Kunde ändert Kontaktdaten."],
}
_DE_END: Final = {"solved": "Im Gespräch gelöst.", "callback": "Kunde wird zurückgerufen.", "escalated": "An die zweite Ebene weitergegeben.", "abandoned": "Kunde hat die Warteschleife verlassen."}
_EN: Final = {
    "billing": ["Customer asks about the last invoice.", "Question about a charge that the customer does not recognise."],
    "network": ["Customer reports poor reception at home.", "Customer reports slow mobile data."],
    "device": ["Device no longer starts properly.", "Question about the settings of a new device."],
    "plan": ["Customer asks about another plan.", "Question about this month's data usage."],
    "roaming": ["Question about charges abroad.", "No data abroad, says the customer."],
    "sim": ["Customer asks for a new SIM card.", "SIM card blocked after wrong PIN codes."],
    "general": ["General question about the customer zone.", "Customer changes contact details."],
}
_EN_END: Final = {"solved": "Solved during the contact.", "callback": "Customer will be called back.", "escalated": "Passed on to second line.", "abandoned": "Customer left the queue."}

NOTES: Final = {
    "nl": (_NL, _NL_END), "fr": (_FR, _FR_END), "de": (_DE, _DE_END), "en": (_EN, _EN_END),
}
"""By language: phrases by reason, and endings by resolution."""
