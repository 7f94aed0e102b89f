"""Phrases of the notes on contacts with care, by language, topic and result.

Belongs here: texts, and how a note is put together. Does not belong here: what is true of a contact
(`care`).

A phrase is used only where all that it names is known of the contact. What can be named: `place`
where it was met, `date` and `hour` (local) of it, `device`, `plan` and its `fee`, `data`
(allowance), `country`, `price` (a minute beyond the allowance), `credit`, `number` (of
contacts on the matter), `wait` (in the queue), `menu` (what was chosen there).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Final

from telco_pipeline.contracts.codes import Channel, Reason, Resolution, Topic

# A table of one row a line reads better wide.
# fmt: off

REASONS: Final = [str(reason) for reason in Reason]

Phrases = Sequence[str]


@dataclass(frozen=True)
class Tongue:
    """The phrases of one language.

    Attributes:
        topics: What the customer says, by topic.
        top_up: What who pays in advance says of a payment.
        ends: How it ended, by result; for who hung up it is the whole note.
        solved: How a contact on a topic was solved, beside `ends`.
        going_on, over: Of an outage that lasts, and of one that is repaired.
        again: Of a contact that is not the first one on its matter.
        credit: Of a credit.
        channel: How a note begins in a channel where nobody speaks on the phone.
        menu: What was chosen in the menu of the queue, by reason.
        hour: An hour of the day, with {0}.
        point: Decimal sign.
    """

    topics: Mapping[Topic, Phrases]
    top_up: Phrases
    ends: Mapping[Resolution, Phrases]
    solved: Mapping[Topic, Phrases]
    going_on: Phrases
    over: Phrases
    again: Phrases
    credit: Phrases
    channel: Mapping[Channel, str]
    menu: Mapping[Reason, str]
    hour: str
    point: str


_NL: Final = Tongue(
    topics={
        Topic.OUTAGE: ["Klt heeft geen netwerk in {place} sinds {date} {hour}.", "Geen bereik in {place}, volgens klt begonnen op {date} rond {hour}.", "Toestel zegt 'geen service' in {place} ({date}, {hour}).", "Klt meldt dat het netwerk wegviel."],
        Topic.DROPPED_CALLS: ["Gesprekken vallen weg in {place}, o.a. {date} rond {hour}.", "Klt belt vanuit {place}, verbinding verbroken op {date} {hour}.", "Oproep afgebroken in {place} ({date}), klt moest opnieuw bellen.", "Gesprekken van klt vallen weg."],
        Topic.BLOCKED_CALLS: ["Klt kreeg geen lijn in {place} op {date} rond {hour}.", "Oproepen lukken niet in {place} ({date} {hour}), meteen bezettoon.", "Bellen ging niet in {place} op {date}.", "Klt krijgt geen lijn bij het bellen."],
        Topic.SLOW_DATA: ["Traag internet in {place}, {date} rond {hour}.", "Mobiele data amper bruikbaar in {place} volgens klt ({date} {hour}).", "Video's blijven laden in {place} sinds {date}.", "Klt vindt mobiele data traag."],
        Topic.HIGH_BILL: ["Factuur hoger dan verwacht, klt heeft {plan} ({fee} EUR/maand).", "Klt begrijpt bedrag niet: betaalt normaal {fee} EUR voor {plan}.", "Vraag over laatste factuur, veel hoger dan de vorige."],
        Topic.PAYMENT: ["Klt wil factuur van {plan} gespreid betalen.", "Betaling niet verwerkt volgens klt, abo {plan}.", "Vraag over openstaand bedrag."],
        Topic.ALLOWANCE: ["Bundel van {plan} bijna op ({data} GB), klt vraagt wat nu.", "Klt kreeg sms dat {data} GB bijna verbruikt is.", "Vraag over verbruik deze maand, abo {plan}.", "Vraag over het verbruik van deze maand."],
        Topic.PLAN_CHANGE: ["Klt is overgestapt naar {plan}, vraagt bevestiging.", "Vraag over {plan} na planwissel.", "Na overstap: klt snapt tarief {plan} niet ({fee} EUR/maand)."],
        Topic.CONTRACT_END: ["Contract {plan} loopt af, klt vraagt voorwaarden.", "Einde vaste duur {plan}, klt wil weten wat er verandert.", "Klt vraagt einddatum van het contract."],
        Topic.ROAMING_COST: ["Kosten in {country}, klt vindt dat te veel.", "Klt was in {country}, rekening is opgelopen. Tarieven buiten de EU uitgelegd.", "Vraag over kosten in het buitenland, abo {plan}."],
        Topic.ROAMING_ACCESS: ["Geen data in {country} volgens klt.", "Klt in {country}: toestel vindt geen netwerk.", "Roaming werkt niet in het buitenland."],
        Topic.NEW_DEVICE: ["Nieuwe {device}, klt vraagt hulp bij instellen.", "Contacten overzetten naar {device}.", "{device} pas gekocht, simkaart niet herkend."],
        Topic.DEVICE_FAULT: ["{device} start niet meer correct op.", "Batterij {device} loopt snel leeg.", "Scherm {device} reageert niet, herstelling gevraagd."],
        Topic.SIM_SWAP: ["Nieuwe simkaart, gewisseld op {date}.", "Sim vervangen ({date}), klt vraagt of alles oké is.", "Klt vraagt naar nieuwe simkaart."],
        Topic.NUMBER_CHANGE: ["Nummer gewijzigd op {date}, vraag over oude nummer.", "Nummerwissel, klt wil bevestiging.", "Vraag over nummerwissel."],
        Topic.SUSPENSION: ["Lijn afgesloten wegens niet betaald, abo {plan}.", "Klt kan niet meer bellen sinds {date}: onbetaalde factuur.", "Lijn geschorst, klt vraagt hoe te heractiveren."],
        Topic.SUSPICIOUS_CALLS: ["Verdachte oproepen, o.a. op {date}.", "Gemiste oproepen van vreemde buitenlandse nummers.", "Klt vreest oplichting via telefoon."],
        Topic.LEAVING: ["Klt wil {plan} opzeggen.", "Denkt aan overstap naar andere operator, nu {plan} aan {fee} EUR.", "Opzeg: klt niet tevreden."],
        Topic.QUESTION: ["Vraag over de klantenzone.", "Klt wijzigt contactgegevens.", "Algemene vraag over {plan}."],
    },
    top_up=["Herlaadbeurt niet op krediet van {plan}, volgens klt.", "Vraag over herladen van {plan}.", "Saldo klopt niet volgens klt."],
    ends={
        Resolution.SOLVED: ["Opgelost.", "Ok voor klt.", "In orde gebracht."],
        Resolution.CALLBACK: ["Klt wordt teruggebeld.", "Nog na te kijken, terugbellen.", "Niet opgelost, callback ingepland."],
        Resolution.ESCALATED: ["Door naar 2de lijn.", "Geëscaleerd, klt is het beu.", "Dossier overgemaakt aan 2de lijn."],
        Resolution.ABANDONED: ["Opgehangen na {wait} wachten (menu: {menu}).", "Klt haakte af in wachtrij, {wait}, keuze {menu}."],
    },
    solved={
        Topic.DROPPED_CALLS: ["Toestel herstart, klt volgt op.", "Doorgegeven aan netwerk, ok voor klt."],
        Topic.SLOW_DATA: ["Netwerkinstellingen gereset, beter.", "Uitgelegd: veel volk op dat moment."],
        Topic.HIGH_BILL: ["Factuur overlopen, ok.", "Detail doorgestuurd per mail."],
        Topic.PAYMENT: ["Afbetaling afgesproken.", "Betaling teruggevonden."],
        Topic.DEVICE_FAULT: ["Toestel binnen voor herstelling.", "Reset gedaan, werkt weer."],
        Topic.LEAVING: ["Opzegvoorwaarden uitgelegd.", "Aanbod gedaan, klt beslist zelf."],
    },
    going_on=["Storing bekend, technici bezig.", "Gekende storing, nog niet hersteld."],
    over=["Storing is intussen hersteld.", "Was gekende storing, weer in orde."],
    again=["{number}e contact hierover.", "Klt had al contact, nu {number}e keer."],
    credit=["{credit} EUR teruggegeven.", "Tegoed {credit} EUR toegekend."],
    channel={Channel.APP: "App:", Channel.SOCIAL: "Via social:", Channel.SHOP: "Winkel:", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "factuur", Reason.NETWORK: "netwerk", Reason.DEVICE: "toestel", Reason.PLAN: "abonnement", Reason.ROAMING: "buitenland", Reason.SIM: "simkaart", Reason.GENERAL: "andere", Reason.FRAUD: "misbruik", Reason.CANCELLATION: "opzeggen"},
    hour="{0}u", point=",",
)
_FR: Final = Tongue(
    topics={
        Topic.OUTAGE: ["Cl. sans réseau à {place} depuis le {date} {hour}.", "Pas de couverture à {place}, début le {date} vers {hour} selon cl.", "« Aucun service » affiché à {place} ({date}, {hour}).", "Cl. signale une coupure du réseau."],
        Topic.DROPPED_CALLS: ["Appels coupés à {place}, e.a. le {date} vers {hour}.", "Cl. appelle depuis {place}, communication perdue le {date} {hour}.", "Appel interrompu à {place} ({date}), cl. a dû rappeler.", "Les appels du cl. sont coupés."],
        Topic.BLOCKED_CALLS: ["Cl. n'a pas eu de ligne à {place} le {date} vers {hour}.", "Appels impossibles à {place} ({date} {hour}), occupé tout de suite.", "Impossible d'appeler à {place} le {date}.", "Cl. n'obtient pas de ligne."],
        Topic.SLOW_DATA: ["Internet lent à {place}, {date} vers {hour}.", "Données presque inutilisables à {place} selon cl. ({date} {hour}).", "Vidéos qui chargent sans fin à {place} depuis le {date}.", "Cl. trouve les données mobiles lentes."],
        Topic.HIGH_BILL: ["Facture plus élevée que prévu, cl. a {plan} ({fee} EUR/mois).", "Cl. ne comprend pas le montant: paie d'habitude {fee} EUR pour {plan}.", "Question sur dernière facture, bien plus haute que la précédente."],
        Topic.PAYMENT: ["Cl. souhaite étaler le paiement de {plan}.", "Paiement pas traité selon cl., abo {plan}.", "Question sur montant ouvert."],
        Topic.ALLOWANCE: ["Forfait {plan} presque épuisé ({data} Go), cl. demande la suite.", "Cl. a reçu sms: {data} Go presque consommés.", "Question conso du mois, abo {plan}.", "Question sur la consommation du mois."],
        Topic.PLAN_CHANGE: ["Cl. est passé à {plan}, demande confirmation.", "Question sur {plan} après changement de plan.", "Après changement: cl. ne comprend pas le tarif {plan} ({fee} EUR/mois)."],
        Topic.CONTRACT_END: ["Contrat {plan} arrive à échéance, cl. demande conditions.", "Fin de durée fixe {plan}, cl. veut savoir ce qui change.", "Cl. demande date de fin du contrat."],
        Topic.ROAMING_COST: ["Frais à l'étranger ({country}), trop élevés selon cl.", "Cl. était à l'étranger ({country}), facture a grimpé. Tarifs hors UE expliqués.", "Question frais à l'étranger, abo {plan}."],
        Topic.ROAMING_ACCESS: ["Pas de données à l'étranger ({country}) selon cl.", "Cl. à l'étranger ({country}): GSM ne trouve pas de réseau.", "Roaming ne fonctionne pas à l'étranger."],
        Topic.NEW_DEVICE: ["Nouveau {device}, aide aux réglages.", "Transfert des contacts vers {device}.", "{device} vient d'être acheté, SIM pas reconnue."],
        Topic.DEVICE_FAULT: ["{device} ne démarre plus correctement.", "Batterie {device} se vide vite.", "Écran {device} ne répond plus, réparation demandée."],
        Topic.SIM_SWAP: ["Nouvelle carte SIM, changée le {date}.", "SIM remplacée ({date}), cl. demande si tout est ok.", "Cl. demande une nouvelle carte SIM."],
        Topic.NUMBER_CHANGE: ["Numéro changé le {date}, question sur ancien numéro.", "Changement de numéro, cl. veut confirmation.", "Question sur changement de numéro."],
        Topic.SUSPENSION: ["Ligne coupée pour impayé, abo {plan}.", "Cl. ne peut plus appeler depuis le {date}: facture impayée.", "Ligne suspendue, cl. demande comment réactiver."],
        Topic.SUSPICIOUS_CALLS: ["Appels suspects, e.a. le {date}.", "Appels manqués de numéros étrangers bizarres.", "Cl. craint une arnaque au téléphone."],
        Topic.LEAVING: ["Cl. veut résilier {plan}.", "Pense à changer d'opérateur, a {plan} à {fee} EUR.", "Résiliation: cl. pas content."],
        Topic.QUESTION: ["Question sur l'espace client.", "Cl. modifie ses coordonnées.", "Question générale sur {plan}."],
    },
    top_up=["Recharge pas arrivée sur {plan} selon cl.", "Question sur recharge de {plan}.", "Solde incorrect selon cl."],
    ends={
        Resolution.SOLVED: ["Résolu.", "Ok pour cl.", "Mis en ordre."],
        Resolution.CALLBACK: ["Cl. sera rappelé.", "À vérifier, rappeler.", "Pas résolu, rappel planifié."],
        Resolution.ESCALATED: ["Transmis 2e ligne.", "Escaladé, cl. en a marre.", "Dossier passé en 2e ligne."],
        Resolution.ABANDONED: ["Raccroché après {wait} d'attente (menu: {menu}).", "Cl. a quitté la file, {wait}, choix {menu}."],
    },
    solved={
        Topic.DROPPED_CALLS: ["GSM redémarré, cl. surveille.", "Signalé au réseau, ok pour cl."],
        Topic.SLOW_DATA: ["Réglages réseau réinitialisés, mieux.", "Expliqué: beaucoup de monde à ce moment."],
        Topic.HIGH_BILL: ["Facture parcourue, ok.", "Détail envoyé par mail."],
        Topic.PAYMENT: ["Plan de paiement convenu.", "Paiement retrouvé."],
        Topic.DEVICE_FAULT: ["Appareil déposé en réparation.", "Reset fait, ça remarche."],
        Topic.LEAVING: ["Conditions de résiliation expliquées.", "Offre faite, cl. décide."],
    },
    going_on=["Panne connue, techniciens dessus.", "Panne connue, pas encore réparée."],
    over=["Panne réparée entre-temps.", "C'était une panne connue, rétabli."],
    again=["{number}e contact à ce sujet.", "Cl. a déjà contacté, {number}e fois."],
    credit=["{credit} EUR remboursés.", "Geste commercial {credit} EUR."],
    channel={Channel.APP: "App:", Channel.SOCIAL: "Réseaux soc.:", Channel.SHOP: "Magasin:", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "facture", Reason.NETWORK: "réseau", Reason.DEVICE: "appareil", Reason.PLAN: "abonnement", Reason.ROAMING: "étranger", Reason.SIM: "carte SIM", Reason.GENERAL: "autre", Reason.FRAUD: "abus", Reason.CANCELLATION: "résilier"},
    hour="{0}h", point=",",
)
_DE: Final = Tongue(
    topics={
        Topic.OUTAGE: ["Kd. ohne Netz in {place} seit {date} {hour}.", "Kein Empfang in {place}, laut Kd. seit {date} gegen {hour}.", "Kd. meldet, dass das Netz ausfiel."],
        Topic.DROPPED_CALLS: ["Gespräche brechen ab in {place}, u. a. {date} gegen {hour}.", "Anruf in {place} getrennt ({date} {hour}).", "Gespräche des Kd. brechen ab."],
        Topic.BLOCKED_CALLS: ["Kd. bekam keine Leitung in {place} am {date} gegen {hour}.", "Anrufe gehen nicht in {place} ({date}).", "Kd. bekommt keine Leitung."],
        Topic.SLOW_DATA: ["Langsames Internet in {place}, {date} gegen {hour}.", "Daten in {place} kaum nutzbar laut Kd. ({date}).", "Kd. findet mobile Daten langsam."],
        Topic.HIGH_BILL: ["Rechnung höher als erwartet, Kd. hat {plan} ({fee} EUR/Monat).", "Frage zur letzten Rechnung, viel höher als die vorige."],
        Topic.PAYMENT: ["Kd. möchte {plan} in Raten zahlen.", "Frage zu offenem Betrag."],
        Topic.ALLOWANCE: ["Datenvolumen {plan} fast aufgebraucht ({data} GB).", "Frage zum Verbrauch dieses Monats."],
        Topic.PLAN_CHANGE: ["Kd. ist zu {plan} gewechselt, möchte Bestätigung.", "Frage zu {plan} nach Tarifwechsel."],
        Topic.CONTRACT_END: ["Vertrag {plan} läuft aus, Kd. fragt Bedingungen.", "Kd. fragt nach Vertragsende."],
        Topic.ROAMING_COST: ["Kosten in {country}, Kd. findet das zu viel.", "Frage zu Kosten im Ausland, Tarif {plan}."],
        Topic.ROAMING_ACCESS: ["Keine Daten im Ausland ({country}) laut Kd.", "Roaming geht im Ausland nicht."],
        Topic.NEW_DEVICE: ["Neues {device}, Hilfe bei Einstellungen.", "Kontakte auf {device} umziehen."],
        Topic.DEVICE_FAULT: ["{device} startet nicht mehr richtig.", "Akku {device} schnell leer."],
        Topic.SIM_SWAP: ["Neue SIM, getauscht am {date}.", "Kd. fragt nach neuer SIM."],
        Topic.NUMBER_CHANGE: ["Nummer geändert am {date}, Frage zur alten.", "Frage zum Nummernwechsel."],
        Topic.SUSPENSION: ["Leitung gesperrt wegen offener Rechnung, {plan}.", "Leitung gesperrt, Kd. fragt nach Freischaltung."],
        Topic.SUSPICIOUS_CALLS: ["Verdächtige Anrufe, u. a. am {date}.", "Kd. fürchtet Betrug am Telefon."],
        Topic.LEAVING: ["Kd. will {plan} kündigen.", "Kündigung: Kd. unzufrieden."],
        Topic.QUESTION: ["Frage zum Kundenbereich.", "Kd. ändert Kontaktdaten."],
    },
    top_up=["Aufladung nicht auf {plan} gebucht laut Kd.", "Frage zum Aufladen von {plan}."],
    ends={
        Resolution.SOLVED: ["Gelöst.", "Ok für Kd."],
        Resolution.CALLBACK: ["Kd. wird zurückgerufen.", "Nicht gelöst, Rückruf geplant."],
        Resolution.ESCALATED: ["An 2. Ebene.", "Eskaliert, Kd. verärgert."],
        Resolution.ABANDONED: ["Aufgelegt nach {wait} Warten (Menü: {menu})."],
    },
    solved={
        Topic.HIGH_BILL: ["Rechnung durchgegangen, ok."],
        Topic.PAYMENT: ["Raten vereinbart."],
        Topic.LEAVING: ["Bedingungen erklärt.", "Angebot gemacht, Kd. entscheidet."],
    },
    going_on=["Störung bekannt, Techniker dran."],
    over=["Störung inzwischen behoben."],
    again=["{number}. Kontakt dazu."],
    credit=["{credit} EUR gutgeschrieben."],
    channel={Channel.APP: "App:", Channel.SOCIAL: "Soziale Medien:", Channel.SHOP: "Laden:", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "Rechnung", Reason.NETWORK: "Netz", Reason.DEVICE: "Gerät", Reason.PLAN: "Tarif", Reason.ROAMING: "Ausland", Reason.SIM: "SIM", Reason.GENERAL: "Sonstiges", Reason.FRAUD: "Missbrauch", Reason.CANCELLATION: "Kündigung"},
    hour="{0} Uhr", point=",",
)
_EN: Final = Tongue(
    topics={
        Topic.OUTAGE: ["Cust has no network in {place} since {date} {hour}.", "No coverage in {place}, started {date} around {hour} acc. to cust.", "Phone shows 'no service' in {place} ({date}, {hour}).", "Cust reports that the network went away."],
        Topic.DROPPED_CALLS: ["Calls drop in {place}, e.g. {date} around {hour}.", "Cust calling from {place}, cut off on {date} {hour}.", "Call cut in {place} ({date}), cust had to redial.", "Cust's calls keep dropping."],
        Topic.BLOCKED_CALLS: ["Cust could not get a line in {place} on {date} around {hour}.", "Calls fail in {place} ({date} {hour}), busy tone at once.", "No calls possible in {place} on {date}.", "Cust cannot get a line."],
        Topic.SLOW_DATA: ["Slow internet in {place}, {date} around {hour}.", "Mobile data hardly usable in {place} says cust ({date} {hour}).", "Videos keep loading in {place} since {date}.", "Cust finds mobile data slow."],
        Topic.HIGH_BILL: ["Bill higher than expected, cust has {plan} ({fee} EUR/month).", "Cust does not understand amount: normally pays {fee} EUR for {plan}.", "Question on last bill, far above the one before."],
        Topic.PAYMENT: ["Cust wants to pay {plan} bill in instalments.", "Payment not booked acc. to cust, plan {plan}.", "Question on open amount."],
        Topic.ALLOWANCE: ["{plan} bundle nearly used up ({data} GB), cust asks what now.", "Cust got text that {data} GB is nearly gone.", "Question on usage this month, plan {plan}.", "Question on this month's usage."],
        Topic.PLAN_CHANGE: ["Cust moved to {plan}, asks confirmation.", "Question on {plan} after plan change.", "After change: cust does not get price of {plan} ({fee} EUR/month)."],
        Topic.CONTRACT_END: ["Contract {plan} runs out, cust asks terms.", "End of minimum term {plan}, cust wants to know what changes.", "Cust asks end date of contract."],
        Topic.ROAMING_COST: ["Charges in {country}, too high says cust.", "Cust was in {country}, bill went up. Explained rates outside EU.", "Question on charges abroad, plan {plan}."],
        Topic.ROAMING_ACCESS: ["No data in {country} says cust.", "Cust in {country}: phone finds no network.", "Roaming does not work abroad."],
        Topic.NEW_DEVICE: ["New {device}, help with settings.", "Moving contacts to {device}.", "{device} just bought, SIM not recognised."],
        Topic.DEVICE_FAULT: ["{device} no longer starts properly.", "Battery of {device} drains fast.", "Screen of {device} not responding, repair asked."],
        Topic.SIM_SWAP: ["New SIM, swapped {date}.", "SIM replaced ({date}), cust asks if all ok.", "Cust asks for a new SIM."],
        Topic.NUMBER_CHANGE: ["Number changed {date}, question on old number.", "Number change, cust wants confirmation.", "Question on number change."],
        Topic.SUSPENSION: ["Line barred for unpaid bill, plan {plan}.", "Cust cannot call since {date}: unpaid bill.", "Line suspended, cust asks how to reactivate."],
        Topic.SUSPICIOUS_CALLS: ["Suspicious calls, e.g. on {date}.", "Missed calls from odd foreign numbers.", "Cust fears a phone scam."],
        Topic.LEAVING: ["Cust wants to cancel {plan}.", "Thinking of another operator, has {plan} at {fee} EUR.", "Cancellation: cust not happy."],
        Topic.QUESTION: ["Question on customer zone.", "Cust changes contact details.", "General question on {plan}."],
    },
    top_up=["Top-up not credited to {plan}, says cust.", "Question on topping up {plan}.", "Balance wrong acc. to cust."],
    ends={
        Resolution.SOLVED: ["Solved.", "Ok for cust.", "Sorted."],
        Resolution.CALLBACK: ["Cust will be called back.", "To be checked, call back.", "Not solved, callback planned."],
        Resolution.ESCALATED: ["Passed to 2nd line.", "Escalated, cust fed up.", "File sent to 2nd line."],
        Resolution.ABANDONED: ["Hung up after {wait} wait (menu: {menu}).", "Cust left queue, {wait}, choice {menu}."],
    },
    solved={
        Topic.DROPPED_CALLS: ["Phone restarted, cust keeps an eye on it.", "Reported to network, ok for cust."],
        Topic.SLOW_DATA: ["Network settings reset, better.", "Explained: very busy at that time."],
        Topic.HIGH_BILL: ["Went through bill, ok.", "Details sent by mail."],
        Topic.PAYMENT: ["Instalments agreed.", "Payment found."],
        Topic.DEVICE_FAULT: ["Phone in for repair.", "Reset done, works again."],
        Topic.LEAVING: ["Explained terms of cancelling.", "Made an offer, cust decides."],
    },
    going_on=["Known outage, engineers on it.", "Known outage, not fixed yet."],
    over=["Outage fixed in the meantime.", "Was a known outage, back to normal."],
    again=["Contact no. {number} on this.", "Cust got in touch before, now {number} times."],
    credit=["{credit} EUR refunded.", "Credit {credit} EUR given."],
    channel={Channel.APP: "App:", Channel.SOCIAL: "Social:", Channel.SHOP: "Shop:", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "bill", Reason.NETWORK: "network", Reason.DEVICE: "device", Reason.PLAN: "plan", Reason.ROAMING: "abroad", Reason.SIM: "SIM", Reason.GENERAL: "other", Reason.FRAUD: "abuse", Reason.CANCELLATION: "cancel"},
    hour="{0}:00", point=".",
)

NOTES: Final = {"nl": _NL, "fr": _FR, "de": _DE, "en": _EN}
"""The phrases by language."""

COUNTRY_NAMES: Final = {
    "nl": {"FR": "Frankrijk", "NL": "Nederland", "ES": "Spanje", "DE": "Duitsland", "IT": "Italië", "GB": "het VK", "LU": "Luxemburg", "TR": "Turkije", "MA": "Marokko", "CH": "Zwitserland", "US": "de VS"},
    "fr": {"FR": "France", "NL": "Pays-Bas", "ES": "Espagne", "DE": "Allemagne", "IT": "Italie", "GB": "Royaume-Uni", "LU": "Luxembourg", "TR": "Turquie", "MA": "Maroc", "CH": "Suisse", "US": "États-Unis"},
    "de": {"FR": "Frankreich", "NL": "den Niederlanden", "ES": "Spanien", "DE": "Deutschland", "IT": "Italien", "GB": "Großbritannien", "LU": "Luxemburg", "TR": "der Türkei", "MA": "Marokko", "CH": "der Schweiz", "US": "den USA"},
    "en": {"FR": "France", "NL": "the Netherlands", "ES": "Spain", "DE": "Germany", "IT": "Italy", "GB": "the UK", "LU": "Luxembourg", "TR": "Turkey", "MA": "Morocco", "CH": "Switzerland", "US": "the US"},
}
"""Names of the countries that customers travel to, by language and ISO code."""

# fmt: on


_WHERE: Final = {"place", "country"}


@dataclass(frozen=True)
class Told:
    """What a note tells.

    Attributes:
        language: Code of the customer's language.
        channel, reason, topic, resolution: Of the contact.
        facts: What can be named, by name (see the module's docstring), in the language.
        prepaid: Whether the customer pays in advance.
        outage: Whether the outage that it is about lasts; None where it is about none.
        number: Which contact on the matter.
        choice: A random number that chooses the phrases.
    """

    language: str
    channel: Channel
    reason: Reason
    topic: Topic
    resolution: Resolution
    facts: Mapping[str, str]
    prepaid: bool
    outage: bool | None
    number: int
    choice: int


def note_of(told: Told) -> str:
    """Return the note of a contact."""
    tongue = NOTES[told.language]
    if told.resolution is Resolution.ABANDONED:
        return _phrase(tongue.ends[told.resolution], told, 1)
    topped_up = told.prepaid and told.topic is Topic.PAYMENT
    said = [_phrase(tongue.top_up if topped_up else tongue.topics[told.topic], told, 1)]
    if told.number > 1:
        said.append(_phrase(tongue.again, told, 7))
    if told.outage is not None:
        said.append(_phrase(tongue.going_on if told.outage else tongue.over, told, 53))
    ends = list(tongue.ends[told.resolution])
    if told.resolution is Resolution.SOLVED and not topped_up:
        ends += tongue.solved.get(told.topic, ())
    said.append(_phrase(ends, told, 311))
    if "credit" in told.facts:
        said.append(_phrase(tongue.credit, told, 1709))
    opening = tongue.channel.get(told.channel)
    return " ".join([opening, *said] if opening else said)


def _phrase(phrases: Phrases, told: Told, step: int) -> str:
    """Return one of the phrases of which all is known, with what it names."""
    known = [phrase for phrase in phrases if named_in(phrase) <= told.facts.keys()]
    # Who knows where it was writes it down.
    known = [phrase for phrase in known if named_in(phrase) & _WHERE] or known
    return known[told.choice // step % len(known)].format_map(dict(told.facts))


def named_in(phrase: str) -> set[str]:
    """Return what a phrase names."""
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}
