"""Phrases of the notes on contacts with care, by language, topic and result.

Belongs here: texts, and how a note is put together. Does not belong here: what is true of a contact
(`care_facts`).

A phrase is used only where all that it names is known of the contact, and where the circumstances
that it needs (`Said.when`) hold. What can be named: `place` where it was met and `country` of the
trip, both with their preposition; `far` or `near`, the same country where it costs extra or lies
inside the Union; `date` and `hour` (local) at which it was met; `since`, when service first broke
down at the customer's own cell; `device`, `plan`, its `fee` and `data` (allowance); `usual`, what
the customer is used to pay a month; `credit`, `number` (of contacts on the matter), `wait` (in the
queue), `menu` (what was chosen there or at the start of the chat).

On the phone, in a chat and in a shop an agent notes what he hears. In the app and on social media
the customer wrote: the note sums up the message, and in the app no agent answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from string import Formatter
from typing import Final

from telco_pipeline.contracts.codes import Channel, Reason, Resolution, Topic

# A table of one row a line reads better wide.
# fmt: off


class Circumstance(Enum):
    """What a phrase may need beside what it names."""

    NEARLY = auto()
    """By the day of the contact the data allowance of the month is nearly used up."""
    GONE = auto()
    """It is used up."""
    BUSY = auto()
    """Load alone made the service bad."""
    LASTS = auto()
    """The fault or work behind it lasts."""
    OVER = auto()
    """It is over."""
    FAULT = auto()
    """It is a fault."""
    WORKS = auto()
    """It is planned work."""
    BARRED = auto()
    """The line is barred at the time of the contact."""
    VISITS = auto()
    """The customer stands in a shop."""


NEARLY, GONE, BUSY, LASTS, OVER, FAULT, WORKS, BARRED, VISITS = Circumstance

Phrases = Sequence["str | Said"]


@dataclass(frozen=True)
class Said:
    """A phrase with a condition, or with ends of its own.

    Attributes:
        text: The phrase.
        when: Circumstances that must hold, all of them.
        ends: How it may have been solved where this was said, beside `Tongue.ends`.
    """

    text: str
    when: tuple[Circumstance, ...] = ()
    ends: Phrases = ()


@dataclass(frozen=True)
class Tongue:
    """The phrases of one language.

    Attributes:
        topics: What the customer says, by topic.
        written: What he writes in the app or on social media.
        top_up, written_top_up: The same of a payment, of who pays in advance.
        ends: How it ended with an agent, by result.
        app_ends: How it ended in the app.
        informed: How it ended where the fault lasts and no more can be done than to say so.
        busy: How it was explained where load made the service bad.
        left: The whole note on who hung up, by channel.
        cause: Of the fault or work behind it.
        again: Of a contact that is not the first one on its matter.
        credit: Of a credit.
        channel: How a note begins in a channel where nobody speaks on the phone.
        menu: What was chosen in the menu of the queue, by reason.
        place: Where something was met, with {0}.
        contracted: Articles at the beginning of a place's name, and what becomes of them there.
        day: A date, with day, month and name (of the month).
        months: Names of the months, where `day` uses them.
        hour, minute: A full hour of the day, with {0}; an hour and minute, with {0} and {1}.
        moment: A date {0} and a time {1} together.
        money: An amount in euro, with {0}.
        point: Decimal sign.
    """

    topics: Mapping[Topic, Phrases]
    written: Mapping[Topic, Phrases]
    top_up: Phrases
    written_top_up: Phrases
    ends: Mapping[Resolution, Phrases]
    app_ends: Mapping[Resolution, Phrases]
    informed: Phrases
    busy: Phrases
    left: Mapping[Channel, Phrases]
    cause: Phrases
    again: Phrases
    credit: Phrases
    channel: Mapping[Channel, str]
    menu: Mapping[Reason, str]
    place: str
    day: str
    hour: str
    minute: str
    moment: str
    money: str
    point: str
    contracted: Mapping[str, str]
    months: Sequence[str]

    def date(self, month: int, day: int) -> str:
        """Return a date without its year."""
        name = self.months[month - 1] if self.months else ""
        return self.day.format(day=day, month=month, name=name)

    def time(self, hour: int, minute: int) -> str:
        """Return a time of the day."""
        return self.minute.format(hour, minute) if minute else self.hour.format(hour)

    def amount(self, micro_euro: int) -> str:
        """Return an amount of money."""
        return self.money.format(f"{micro_euro / 1_000_000:.2f}".replace(".", self.point))

    def at(self, name: str) -> str:
        """Return a place with its preposition."""
        for article, both in self.contracted.items():
            if name.startswith(article):
                return both + name.removeprefix(article)
        return self.place.format(name)


_NL: Final = Tongue(
    topics={
        Topic.OUTAGE: [Said("Klt heeft geen netwerk {place} sinds {since}.", (LASTS,)), Said("Klt had geen netwerk {place} vanaf {since}.", (OVER,)), "Geen bereik {place}, volgens klt begonnen op {since}.", "Toestel gaf 'geen service' {place} ({date}, {hour}).", "Klt meldt dat het netwerk wegviel."],
        Topic.DROPPED_CALLS: ["Gesprekken vallen weg {place}, o.a. op {date} rond {hour}.", "Verbinding verbroken {place} op {date} rond {hour}.", "Gesprek afgebroken {place} ({date}), klt moest opnieuw bellen.", "Gesprekken van klt vallen weg."],
        Topic.BLOCKED_CALLS: ["Klt kreeg geen lijn {place} op {date} rond {hour}.", "Oproepen lukten niet {place} ({date}, {hour}).", "Bellen ging niet {place} op {date}.", "Klt krijgt geen lijn bij het bellen."],
        Topic.SLOW_DATA: ["Traag internet {place}, {date} rond {hour}.", "Mobiele data amper bruikbaar {place} volgens klt ({date}, {hour}).", "Video's bleven laden {place} op {date}.", "Klt vindt mobiele data traag."],
        Topic.HIGH_BILL: [Said("Factuur hoger dan verwacht, klt heeft {plan} ({fee}/maand).", ends=["Factuur overlopen, ok.", "Detail doorgestuurd per mail."]), Said("Klt begrijpt het bedrag niet: betaalt gewoonlijk {usual} per maand.", ends=["Factuur overlopen, ok.", "Detail doorgestuurd per mail."]), Said("Vraag over de laatste factuur, hoger dan gewoonlijk.", ends=["Factuur overlopen, ok."])],
        Topic.PAYMENT: [Said("Klt wil factuur van {plan} gespreid betalen.", ends=["Afbetaling afgesproken."]), Said("Betaling niet verwerkt volgens klt ({plan}).", ends=["Betaling teruggevonden."]), Said("Vraag over openstaand bedrag.", ends=["Bedrag en vervaldag uitgelegd."])],
        Topic.ALLOWANCE: [Said("Databundel van {plan} bijna op ({data} GB), klt vraagt wat nu.", (NEARLY,)), Said("Klt kreeg sms dat databundel ({data} GB) bijna op is.", (NEARLY,)), Said("Databundel van {plan} ({data} GB) is op, klt vraagt wat extra data kost.", (GONE,)), Said("Klt kreeg sms dat databundel ({data} GB) op is.", (GONE,)), "Vraag over dataverbruik van deze maand ({plan}).", "Klt wil weten hoe dataverbruik te volgen."],
        Topic.PLAN_CHANGE: ["Klt is overgestapt naar {plan}, vraagt bevestiging.", "Vraag over {plan} na planwissel.", "Na overstap: klt snapt tarief van {plan} niet ({fee}/maand)."],
        Topic.CONTRACT_END: ["Contract voor {plan} loopt af, klt vraagt voorwaarden.", "Einde vaste duur van {plan}, klt wil weten wat er verandert.", "Klt vraagt einddatum van het contract."],
        Topic.ROAMING_COST: [Said("Klt vindt kosten {far} te hoog.", ends=["Tarieven buiten de EU uitgelegd."]), Said("Klt was {far}, kosten opgelopen.", ends=["Tarieven buiten de EU uitgelegd."]), Said("Klt vraagt of gebruik {near} iets extra kost.", ends=["Uitgelegd: in de EU zelfde tarief als thuis."]), "Vraag over kosten in het buitenland ({plan})."],
        Topic.ROAMING_ACCESS: ["Geen data {country} volgens klt.", "Toestel vond geen netwerk {country}.", "Roaming werkt niet in het buitenland."],
        Topic.NEW_DEVICE: ["Nieuw toestel ({device}), klt vraagt hulp bij instellen.", "Hulp bij overzetten van contacten naar {device}.", "{device} pas gekocht, simkaart niet herkend."],
        Topic.DEVICE_FAULT: [Said("{device} start niet meer goed op.", ends=["Reset gedaan, werkt weer."]), Said("Batterij van {device} loopt snel leeg.", ends=["Tips voor batterij gegeven.", Said("Batterij wordt vervangen.", (VISITS,))]), Said("Scherm van {device} reageert niet, herstelling gevraagd.", ends=["Herstelling aangevraagd.", Said("Toestel binnen voor herstelling.", (VISITS,))])],
        Topic.SIM_SWAP: ["Nieuwe simkaart, gewisseld op {date}.", "Sim vervangen ({date}), klt vraagt of alles in orde is.", "Vraag over de nieuwe simkaart."],
        Topic.NUMBER_CHANGE: ["Nummer gewijzigd op {date}, vraag over het oude nummer.", "Nummerwissel, klt wil bevestiging.", "Vraag over nummerwissel."],
        Topic.SUSPENSION: [Said("Lijn afgesloten wegens onbetaalde factuur ({plan}).", (BARRED,)), Said("Klt kan niet meer bellen sinds {date}: onbetaalde factuur.", (BARRED,)), Said("Lijn geschorst, klt vraagt hoe te heractiveren.", (BARRED,)), "Vraag over afsluiting wegens onbetaalde factuur."],
        Topic.SUSPICIOUS_CALLS: ["Verdachte oproepen, o.a. op {date}.", "Gemiste oproepen van vreemde buitenlandse nummers.", "Klt vreest oplichting via de telefoon."],
        Topic.LEAVING: [Said("Klt wil {plan} opzeggen.", ends=["Opzegvoorwaarden uitgelegd.", "Aanbod gedaan, klt beslist zelf."]), Said("Klt denkt aan overstap naar andere operator, heeft nu {plan} voor {fee}.", ends=["Aanbod gedaan, klt beslist zelf."]), Said("Opzeg: klt niet tevreden.", ends=["Opzegvoorwaarden uitgelegd."])],
        Topic.QUESTION: ["Vraag over de klantenzone.", "Klt wijzigt contactgegevens.", "Algemene vraag over {plan}."],
    },
    written={
        Topic.OUTAGE: [Said("geen netwerk {place} sinds {since}.", (LASTS,)), Said("had geen netwerk {place} vanaf {since}.", (OVER,)), "toestel gaf 'geen service' {place} ({date}, {hour}).", "netwerk viel weg."],
        Topic.DROPPED_CALLS: ["gesprekken vallen weg {place}, o.a. op {date} rond {hour}.", "gesprek afgebroken {place} ({date}).", "gesprekken vallen telkens weg."],
        Topic.BLOCKED_CALLS: ["bellen lukte niet {place} op {date} rond {hour}.", "kreeg geen lijn {place} ({date}, {hour}).", "krijgt geen lijn bij het bellen."],
        Topic.SLOW_DATA: ["traag internet {place}, {date} rond {hour}.", "video's bleven laden {place} op {date}.", "mobiele data traag."],
        Topic.HIGH_BILL: ["factuur hoger dan verwacht, heeft {plan} ({fee}/maand).", "begrijpt het bedrag niet, betaalt gewoonlijk {usual} per maand.", "vraag over de laatste factuur, hoger dan gewoonlijk."],
        Topic.PAYMENT: [Said("wil factuur van {plan} gespreid betalen.", ends=["Afbetaling afgesproken."]), "betaling niet verwerkt ({plan}).", "vraag over openstaand bedrag."],
        Topic.ALLOWANCE: [Said("databundel van {plan} bijna op ({data} GB), wat nu?", (NEARLY,)), Said("databundel van {plan} ({data} GB) is op, wat kost extra data?", (GONE,)), "vraag over dataverbruik van deze maand ({plan}).", "hoe dataverbruik te volgen?"],
        Topic.PLAN_CHANGE: ["overgestapt naar {plan}, vraagt bevestiging.", "vraag over tarief van {plan} na planwissel."],
        Topic.CONTRACT_END: ["contract voor {plan} loopt af, vraagt voorwaarden.", "vraagt einddatum van het contract."],
        Topic.ROAMING_COST: ["vindt kosten {far} te hoog.", "kosten opgelopen {far}.", "kost gebruik {near} iets extra?", "vraag over kosten in het buitenland ({plan})."],
        Topic.ROAMING_ACCESS: ["geen data {country}.", "toestel vond geen netwerk {country}.", "roaming werkt niet in het buitenland."],
        Topic.NEW_DEVICE: ["nieuw toestel ({device}), vraagt hulp bij instellen.", "{device} pas gekocht, simkaart niet herkend."],
        Topic.DEVICE_FAULT: ["{device} start niet meer goed op.", Said("batterij van {device} loopt snel leeg.", ends=["Tips voor batterij gegeven."]), Said("scherm van {device} reageert niet, vraagt herstelling.", ends=["Herstelling aangevraagd."])],
        Topic.SIM_SWAP: ["sim vervangen ({date}), is alles in orde?", "vraag over de nieuwe simkaart."],
        Topic.NUMBER_CHANGE: ["nummer gewijzigd op {date}, vraag over het oude nummer.", "wil bevestiging van nummerwissel."],
        Topic.SUSPENSION: [Said("kan niet meer bellen sinds {date}: onbetaalde factuur.", (BARRED,)), Said("lijn geschorst, hoe heractiveren?", (BARRED,)), "vraag over afsluiting wegens onbetaalde factuur."],
        Topic.SUSPICIOUS_CALLS: ["verdachte oproepen, o.a. op {date}.", "gemiste oproepen van vreemde buitenlandse nummers."],
        Topic.LEAVING: ["wil {plan} opzeggen.", "denkt aan overstap naar andere operator, heeft nu {plan} voor {fee}.", "niet tevreden, wil opzeggen."],
        Topic.QUESTION: ["vraag over de klantenzone.", "nieuwe contactgegevens.", "algemene vraag over {plan}."],
    },
    top_up=[Said("Herlaadbeurt niet op krediet van {plan}, volgens klt.", ends=["Herlaadbeurt teruggevonden."]), "Vraag over herladen van {plan}.", "Saldo klopt niet volgens klt."],
    written_top_up=["herlaadbeurt niet op krediet van {plan}.", "vraag over herladen van {plan}.", "saldo klopt niet."],
    ends={
        Resolution.SOLVED: ["Opgelost.", "Ok voor klt.", "In orde gebracht."],
        Resolution.CALLBACK: ["Klt wordt teruggebeld.", "Nog na te kijken, terugbellen.", "Niet opgelost, terugbelafspraak ingepland."],
        Resolution.ESCALATED: ["Door naar 2e lijn.", "Geëscaleerd naar 2e lijn.", "Dossier overgemaakt aan 2e lijn."],
    },
    app_ends={
        Resolution.SOLVED: ["Opgelost in de app.", "Antwoord gevonden in de app."],
        Resolution.CALLBACK: ["Terugbelverzoek via de app.", "Niet opgelost in de app, klt wordt teruggebeld."],
    },
    informed=["Klt is op de hoogte.", "Klt wacht af."],
    busy=["Uitgelegd: veel volk op dat moment.", "Uitgelegd: netwerk was druk bezet."],
    left={
        Channel.CALL: ["Opgehangen na {wait} wachten (menu: {menu}).", "Klt haakte af in de wachtrij na {wait}, keuze {menu}."],
        Channel.CHAT: ["Chat verlaten na {wait} wachten (onderwerp: {menu})."],
    },
    cause=[Said("Storing bekend, technici bezig.", (LASTS, FAULT)), Said("Gekende storing, nog niet hersteld.", (LASTS, FAULT)), Said("Storing is intussen hersteld.", (OVER, FAULT)), Said("Was gekende storing, weer in orde.", (OVER, FAULT)), Said("Geplande werken, nog bezig.", (LASTS, WORKS)), Said("Waren geplande werken, intussen klaar.", (OVER, WORKS))],
    again=["{number}e contact hierover.", "Klt had al contact, nu {number}e keer."],
    credit=["{credit} teruggegeven.", "Tegoed van {credit} toegekend."],
    channel={Channel.APP: "Bericht via app:", Channel.SOCIAL: "Bericht via sociale media:", Channel.SHOP: "Klt langs in winkel.", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "factuur", Reason.NETWORK: "netwerk", Reason.DEVICE: "toestel", Reason.PLAN: "abonnement", Reason.ROAMING: "buitenland", Reason.SIM: "simkaart", Reason.GENERAL: "andere", Reason.FRAUD: "misbruik", Reason.CANCELLATION: "opzeggen"},
    place="in {0}", contracted={}, day="{day:02d}/{month:02d}", months=(), hour="{0}u", minute="{0}u{1:02d}", moment="{0} om {1}", money="{0} EUR", point=",",
)
_FR: Final = Tongue(
    topics={
        Topic.OUTAGE: [Said("Cl. sans réseau {place} depuis le {since}.", (LASTS,)), Said("Cl. s'est retrouvé sans réseau {place} à partir du {since}.", (OVER,)), "Pas de couverture {place}, début le {since} selon cl.", "« Aucun service » affiché {place} ({date}, {hour}).", "Cl. signale une coupure du réseau."],
        Topic.DROPPED_CALLS: ["Appels coupés {place}, entre autres le {date} vers {hour}.", "Communication coupée {place} le {date} vers {hour}.", "Appel interrompu {place} ({date}), cl. a dû rappeler.", "Les appels du cl. sont coupés."],
        Topic.BLOCKED_CALLS: ["Cl. n'a pas eu de ligne {place} le {date} vers {hour}.", "Appels n'aboutissaient pas {place} ({date}, {hour}).", "Impossible d'appeler {place} le {date}.", "Cl. n'obtient pas de ligne."],
        Topic.SLOW_DATA: ["Internet lent {place}, le {date} vers {hour}.", "Données presque inutilisables {place} selon cl. ({date}, {hour}).", "Vidéos qui chargeaient sans fin {place} le {date}.", "Cl. trouve les données mobiles lentes."],
        Topic.HIGH_BILL: [Said("Facture plus élevée que prévu, cl. a {plan} ({fee}/mois).", ends=["Facture passée en revue, ok.", "Détail envoyé par mail."]), Said("Cl. ne comprend pas le montant, paie d'habitude {usual} par mois.", ends=["Facture passée en revue, ok.", "Détail envoyé par mail."]), Said("Question sur la dernière facture, plus élevée que d'habitude.", ends=["Facture passée en revue, ok."])],
        Topic.PAYMENT: [Said("Cl. souhaite étaler le paiement de la facture {plan}.", ends=["Plan de paiement convenu."]), Said("Paiement non traité selon cl. ({plan}).", ends=["Paiement retrouvé."]), Said("Question sur le montant restant dû.", ends=["Montant et échéance expliqués."])],
        Topic.ALLOWANCE: [Said("Forfait de données {plan} presque épuisé ({data} Go), cl. demande la suite.", (NEARLY,)), Said("Cl. a reçu un SMS : {data} Go de données presque épuisés.", (NEARLY,)), Said("Forfait de données {plan} ({data} Go) épuisé, cl. demande le prix des données supplémentaires.", (GONE,)), Said("Cl. a reçu un SMS : {data} Go de données épuisés.", (GONE,)), "Question sur la conso de données du mois ({plan}).", "Cl. demande comment suivre sa consommation."],
        Topic.PLAN_CHANGE: ["Cl. est passé à {plan}, demande confirmation.", "Question sur {plan} après changement de formule.", "Après changement : cl. ne comprend pas le tarif de {plan} ({fee}/mois)."],
        Topic.CONTRACT_END: ["Contrat {plan} arrive à échéance, cl. demande les conditions.", "Fin de la durée fixe de {plan}, cl. veut savoir ce qui change.", "Cl. demande la date de fin du contrat."],
        Topic.ROAMING_COST: [Said("Frais {far} trop élevés selon cl.", ends=["Tarifs hors UE expliqués."]), Said("Cl. était {far}, frais en hausse.", ends=["Tarifs hors UE expliqués."]), Said("Cl. demande si l'usage {near} coûte un supplément.", ends=["Expliqué : même tarif que chez nous dans l'UE."]), "Question sur les frais à l'étranger ({plan})."],
        Topic.ROAMING_ACCESS: ["Pas de données {country} selon cl.", "GSM n'a pas trouvé de réseau {country}.", "Le roaming ne fonctionne pas à l'étranger."],
        Topic.NEW_DEVICE: ["Nouvel appareil ({device}), aide aux réglages.", "Aide au transfert des contacts (nouvel appareil : {device}).", "{device} vient d'être acheté, SIM non reconnue."],
        Topic.DEVICE_FAULT: [Said("{device} ne démarre plus correctement.", ends=["Réinitialisation faite, ça remarche."]), Said("La batterie se vide vite ({device}).", ends=["Conseils donnés pour la batterie.", Said("Batterie à remplacer, appareil déposé.", (VISITS,))]), Said("L'écran ne répond plus ({device}), réparation demandée.", ends=["Demande de réparation introduite.", Said("Appareil déposé en réparation.", (VISITS,))])],
        Topic.SIM_SWAP: ["Nouvelle carte SIM, changée le {date}.", "SIM remplacée ({date}), cl. demande si tout est en ordre.", "Question sur la nouvelle carte SIM."],
        Topic.NUMBER_CHANGE: ["Numéro changé le {date}, question sur l'ancien numéro.", "Changement de numéro, cl. veut une confirmation.", "Question sur le changement de numéro."],
        Topic.SUSPENSION: [Said("Ligne coupée pour impayé ({plan}).", (BARRED,)), Said("Cl. ne peut plus appeler depuis le {date} : facture impayée.", (BARRED,)), Said("Ligne suspendue, cl. demande comment la réactiver.", (BARRED,)), "Question sur la suspension pour facture impayée."],
        Topic.SUSPICIOUS_CALLS: ["Appels suspects, entre autres le {date}.", "Appels manqués de numéros étrangers bizarres.", "Cl. craint une arnaque au téléphone."],
        Topic.LEAVING: [Said("Cl. veut résilier {plan}.", ends=["Conditions de résiliation expliquées.", "Offre faite, cl. décide."]), Said("Cl. pense à changer d'opérateur, a {plan} à {fee}.", ends=["Offre faite, cl. décide."]), Said("Résiliation : cl. pas content.", ends=["Conditions de résiliation expliquées."])],
        Topic.QUESTION: ["Question sur l'espace client.", "Cl. modifie ses coordonnées.", "Question générale sur {plan}."],
    },
    written={
        Topic.OUTAGE: [Said("pas de réseau {place} depuis le {since}.", (LASTS,)), Said("réseau coupé {place} à partir du {since}.", (OVER,)), "« Aucun service » affiché {place} ({date}, {hour}).", "coupure du réseau."],
        Topic.DROPPED_CALLS: ["appels coupés {place}, entre autres le {date} vers {hour}.", "appel interrompu {place} ({date}).", "appels coupés sans cesse."],
        Topic.BLOCKED_CALLS: ["impossible d'appeler {place} le {date} vers {hour}.", "pas de ligne {place} ({date}, {hour}).", "n'obtient pas de ligne."],
        Topic.SLOW_DATA: ["internet lent {place}, le {date} vers {hour}.", "vidéos qui chargeaient sans fin {place} le {date}.", "données mobiles lentes."],
        Topic.HIGH_BILL: ["facture plus élevée que prévu, a {plan} ({fee}/mois).", "ne comprend pas le montant, paie d'habitude {usual} par mois.", "question sur la dernière facture, plus élevée que d'habitude."],
        Topic.PAYMENT: [Said("souhaite étaler le paiement de la facture {plan}.", ends=["Plan de paiement convenu."]), "paiement non traité ({plan}).", "question sur le montant restant dû."],
        Topic.ALLOWANCE: [Said("forfait de données {plan} presque épuisé ({data} Go), que faire ?", (NEARLY,)), Said("forfait de données {plan} ({data} Go) épuisé, combien coûte le surplus ?", (GONE,)), "question sur la conso de données du mois ({plan}).", "comment suivre sa consommation ?"],
        Topic.PLAN_CHANGE: ["est passé à {plan}, demande confirmation.", "question sur le tarif de {plan} après changement de formule."],
        Topic.CONTRACT_END: ["contrat {plan} bientôt échu, demande les conditions.", "demande la date de fin du contrat."],
        Topic.ROAMING_COST: ["trouve les frais {far} trop élevés.", "frais en hausse {far}.", "l'usage {near} coûte-t-il un supplément ?", "question sur les frais à l'étranger ({plan})."],
        Topic.ROAMING_ACCESS: ["pas de données {country}.", "GSM n'a pas trouvé de réseau {country}.", "le roaming ne fonctionne pas à l'étranger."],
        Topic.NEW_DEVICE: ["nouvel appareil ({device}), demande de l'aide pour les réglages.", "{device} vient d'être acheté, SIM non reconnue."],
        Topic.DEVICE_FAULT: ["{device} ne démarre plus correctement.", Said("la batterie se vide vite ({device}).", ends=["Conseils donnés pour la batterie."]), Said("l'écran ne répond plus ({device}), demande une réparation.", ends=["Demande de réparation introduite."])],
        Topic.SIM_SWAP: ["SIM remplacée ({date}), tout est en ordre ?", "question sur la nouvelle carte SIM."],
        Topic.NUMBER_CHANGE: ["numéro changé le {date}, question sur l'ancien numéro.", "veut une confirmation du changement de numéro."],
        Topic.SUSPENSION: [Said("ne peut plus appeler depuis le {date} : facture impayée.", (BARRED,)), Said("ligne suspendue, comment la réactiver ?", (BARRED,)), "question sur la suspension pour facture impayée."],
        Topic.SUSPICIOUS_CALLS: ["appels suspects, entre autres le {date}.", "appels manqués de numéros étrangers bizarres."],
        Topic.LEAVING: ["veut résilier {plan}.", "pense à changer d'opérateur, a {plan} à {fee}.", "pas content, veut résilier."],
        Topic.QUESTION: ["question sur l'espace client.", "nouvelles coordonnées.", "question générale sur {plan}."],
    },
    top_up=[Said("Recharge pas arrivée sur {plan} selon cl.", ends=["Recharge retrouvée."]), "Question sur la recharge de {plan}.", "Solde incorrect selon cl."],
    written_top_up=["recharge pas arrivée sur {plan}.", "question sur la recharge de {plan}.", "solde incorrect."],
    ends={
        Resolution.SOLVED: ["Résolu.", "Ok pour cl.", "C'est réglé."],
        Resolution.CALLBACK: ["Cl. sera rappelé.", "À vérifier, rappeler.", "Non résolu, rappel planifié."],
        Resolution.ESCALATED: ["Transmis à la 2e ligne.", "Escaladé vers la 2e ligne.", "Dossier passé en 2e ligne."],
    },
    app_ends={
        Resolution.SOLVED: ["Résolu dans l'app.", "Réponse trouvée dans l'app."],
        Resolution.CALLBACK: ["Demande de rappel via l'app.", "Non résolu dans l'app, cl. sera rappelé."],
    },
    informed=["Cl. est informé.", "Cl. patiente."],
    busy=["Expliqué : beaucoup de monde à ce moment-là.", "Expliqué : réseau très chargé à ce moment-là."],
    left={
        Channel.CALL: ["Raccroché après {wait} d'attente (menu : {menu}).", "Cl. a quitté la file après {wait}, choix {menu}."],
        Channel.CHAT: ["Chat quitté après {wait} d'attente (sujet : {menu})."],
    },
    cause=[Said("Panne connue, techniciens à l'œuvre.", (LASTS, FAULT)), Said("Panne connue, pas encore réparée.", (LASTS, FAULT)), Said("Panne réparée entre-temps.", (OVER, FAULT)), Said("C'était une panne connue, service rétabli.", (OVER, FAULT)), Said("Travaux planifiés, encore en cours.", (LASTS, WORKS)), Said("C'étaient des travaux planifiés, terminés entre-temps.", (OVER, WORKS))],
    again=["{number}e contact à ce sujet.", "Cl. nous a déjà contactés, {number}e fois."],
    credit=["{credit} remboursés.", "Geste commercial de {credit}."],
    channel={Channel.APP: "Message via l'app :", Channel.SOCIAL: "Message sur les réseaux sociaux :", Channel.SHOP: "Cl. passé en magasin.", Channel.CHAT: "Chat :"},
    menu={Reason.BILLING: "facture", Reason.NETWORK: "réseau", Reason.DEVICE: "appareil", Reason.PLAN: "abonnement", Reason.ROAMING: "étranger", Reason.SIM: "carte SIM", Reason.GENERAL: "autre", Reason.FRAUD: "abus", Reason.CANCELLATION: "résiliation"},
    place="à {0}", contracted={"Le ": "au ", "Les ": "aux "}, day="{day:02d}/{month:02d}", months=(), hour="{0}h", minute="{0}h{1:02d}", moment="{0} à {1}", money="{0} EUR", point=",",
)
_DE: Final = Tongue(
    topics={
        Topic.OUTAGE: [Said("Kd. ohne Netz {place} seit {since}.", (LASTS,)), Said("Kd. war ohne Netz {place} ab {since}.", (OVER,)), "Kein Empfang {place}, laut Kd. ab {since}.", "Kein Netz {place} ({date}, {hour}).", "Kd. meldet, dass das Netz ausfiel."],
        Topic.DROPPED_CALLS: ["Gespräche brechen ab {place}, u. a. am {date} gegen {hour}.", "Anruf {place} getrennt ({date}, {hour}).", "Gespräche des Kd. brechen ab."],
        Topic.BLOCKED_CALLS: ["Kd. bekam keine Leitung {place} am {date} gegen {hour}.", "Anrufe gingen nicht {place} ({date}, {hour}).", "Kd. bekommt keine Leitung."],
        Topic.SLOW_DATA: ["Langsames Internet {place}, am {date} gegen {hour}.", "Daten {place} laut Kd. kaum nutzbar ({date}, {hour}).", "Kd. findet mobile Daten langsam."],
        Topic.HIGH_BILL: [Said("Rechnung höher als erwartet, Kd. hat {plan} ({fee}/Monat).", ends=["Rechnung durchgegangen, ok."]), Said("Kd. versteht den Betrag nicht, zahlt sonst {usual} im Monat.", ends=["Rechnung durchgegangen, ok."]), Said("Frage zur letzten Rechnung, höher als üblich.", ends=["Rechnung durchgegangen, ok."])],
        Topic.PAYMENT: [Said("Kd. möchte Rechnung für {plan} in Raten zahlen.", ends=["Ratenzahlung vereinbart."]), Said("Frage zu offenem Betrag.", ends=["Betrag und Frist erklärt."])],
        Topic.ALLOWANCE: [Said("Datenvolumen von {plan} fast aufgebraucht ({data} GB).", (NEARLY,)), Said("Datenvolumen von {plan} aufgebraucht ({data} GB), Kd. fragt nach Preis für mehr.", (GONE,)), "Frage zum Datenverbrauch dieses Monats ({plan}).", "Kd. fragt, wo der Verbrauch zu sehen ist."],
        Topic.PLAN_CHANGE: ["Kd. ist zu {plan} gewechselt, möchte Bestätigung.", "Frage zu {plan} nach Tarifwechsel."],
        Topic.CONTRACT_END: ["Vertrag {plan} läuft aus, Kd. fragt nach den Bedingungen.", "Kd. fragt nach dem Vertragsende."],
        Topic.ROAMING_COST: [Said("Kosten {far}, Kd. findet sie zu hoch.", ends=["Tarife außerhalb der EU erklärt."]), Said("Kd. fragt, ob Nutzung {near} extra kostet.", ends=["Erklärt: in der EU wie zu Hause."]), "Frage zu Kosten im Ausland ({plan})."],
        Topic.ROAMING_ACCESS: ["Keine Daten {country} laut Kd.", "Roaming geht im Ausland nicht."],
        Topic.NEW_DEVICE: ["Neues Gerät ({device}), Hilfe bei Einstellungen.", "Hilfe beim Übertragen der Kontakte auf {device}."],
        Topic.DEVICE_FAULT: [Said("{device} startet nicht mehr richtig.", ends=["Zurückgesetzt, geht wieder."]), Said("Akku von {device} schnell leer.", ends=["Tipps zum Akku gegeben.", Said("Gerät zur Reparatur angenommen.", (VISITS,))])],
        Topic.SIM_SWAP: ["Neue SIM (getauscht {date}), Kd. fragt, ob alles stimmt.", "Frage zur neuen SIM."],
        Topic.NUMBER_CHANGE: ["Nummer geändert ({date}), Frage zur alten Nummer.", "Frage zum Nummernwechsel."],
        Topic.SUSPENSION: [Said("Leitung gesperrt wegen offener Rechnung ({plan}).", (BARRED,)), Said("Leitung gesperrt, Kd. fragt nach Freischaltung.", (BARRED,)), "Frage zur Sperre wegen offener Rechnung."],
        Topic.SUSPICIOUS_CALLS: ["Verdächtige Anrufe (u. a. {date}).", "Kd. fürchtet Betrug am Telefon."],
        Topic.LEAVING: [Said("Kd. will {plan} kündigen.", ends=["Bedingungen erklärt.", "Angebot gemacht, Kd. entscheidet."]), Said("Kündigung: Kd. unzufrieden.", ends=["Bedingungen erklärt."])],
        Topic.QUESTION: ["Frage zum Kundenbereich.", "Kd. ändert Kontaktdaten."],
    },
    written={
        Topic.OUTAGE: [Said("kein Netz {place} seit {since}.", (LASTS,)), Said("hatte kein Netz {place} ab {since}.", (OVER,)), "kein Netz {place} ({date}, {hour}).", "Netz fiel aus."],
        Topic.DROPPED_CALLS: ["Gespräche brechen ab {place}, u. a. am {date} gegen {hour}.", "Gespräche brechen ab."],
        Topic.BLOCKED_CALLS: ["Anrufe gingen nicht {place} am {date} gegen {hour}.", "bekommt keine Leitung."],
        Topic.SLOW_DATA: ["langsames Internet {place}, am {date} gegen {hour}.", "mobile Daten langsam."],
        Topic.HIGH_BILL: ["Rechnung höher als erwartet, hat {plan} ({fee}/Monat).", "versteht den Betrag nicht, zahlt sonst {usual} im Monat.", "Frage zur letzten Rechnung, höher als üblich."],
        Topic.PAYMENT: [Said("möchte Rechnung für {plan} in Raten zahlen.", ends=["Ratenzahlung vereinbart."]), "Frage zu offenem Betrag."],
        Topic.ALLOWANCE: [Said("Datenvolumen von {plan} fast aufgebraucht ({data} GB).", (NEARLY,)), Said("Datenvolumen von {plan} aufgebraucht ({data} GB), was kostet mehr?", (GONE,)), "Frage zum Datenverbrauch dieses Monats ({plan}).", "wo ist der Verbrauch zu sehen?"],
        Topic.PLAN_CHANGE: ["zu {plan} gewechselt, möchte Bestätigung.", "Frage zu {plan} nach Tarifwechsel."],
        Topic.CONTRACT_END: ["Vertrag {plan} läuft aus, fragt nach den Bedingungen.", "fragt nach dem Vertragsende."],
        Topic.ROAMING_COST: ["findet Kosten {far} zu hoch.", "kostet Nutzung {near} extra?", "Frage zu Kosten im Ausland ({plan})."],
        Topic.ROAMING_ACCESS: ["keine Daten {country}.", "Roaming geht im Ausland nicht."],
        Topic.NEW_DEVICE: ["neues Gerät ({device}), bittet um Hilfe bei Einstellungen.", "Kontakte auf {device} übertragen?"],
        Topic.DEVICE_FAULT: ["{device} startet nicht mehr richtig.", "Akku von {device} schnell leer."],
        Topic.SIM_SWAP: ["neue SIM (getauscht {date}), stimmt alles?", "Frage zur neuen SIM."],
        Topic.NUMBER_CHANGE: ["Nummer geändert ({date}), Frage zur alten Nummer.", "Frage zum Nummernwechsel."],
        Topic.SUSPENSION: [Said("Leitung gesperrt, bittet um Freischaltung.", (BARRED,)), "Frage zur Sperre wegen offener Rechnung."],
        Topic.SUSPICIOUS_CALLS: ["verdächtige Anrufe (u. a. {date}).", "fürchtet Betrug am Telefon."],
        Topic.LEAVING: ["will {plan} kündigen.", "unzufrieden, will kündigen."],
        Topic.QUESTION: ["Frage zum Kundenbereich.", "neue Kontaktdaten."],
    },
    top_up=[Said("Aufladung laut Kd. nicht auf {plan} gebucht.", ends=["Aufladung gefunden."]), "Frage zum Aufladen von {plan}."],
    written_top_up=["Aufladung nicht auf {plan} gebucht.", "Frage zum Aufladen von {plan}."],
    ends={
        Resolution.SOLVED: ["Gelöst.", "Ok für Kd."],
        Resolution.CALLBACK: ["Kd. wird zurückgerufen.", "Nicht gelöst, Rückruf geplant."],
        Resolution.ESCALATED: ["An 2. Ebene weitergeleitet.", "Vorgang an 2. Ebene übergeben."],
    },
    app_ends={
        Resolution.SOLVED: ["In der App gelöst.", "Antwort in der App gefunden."],
        Resolution.CALLBACK: ["Rückrufwunsch über die App."],
    },
    informed=["Kd. ist informiert."],
    busy=["Erklärt: Netz war zu der Zeit stark ausgelastet."],
    left={
        Channel.CALL: ["Aufgelegt nach {wait} Wartezeit (Menü: {menu})."],
        Channel.CHAT: ["Chat verlassen nach {wait} Wartezeit (Thema: {menu})."],
    },
    cause=[Said("Störung bekannt, Techniker dran.", (LASTS, FAULT)), Said("Störung inzwischen behoben.", (OVER, FAULT)), Said("Geplante Arbeiten, noch im Gange.", (LASTS, WORKS)), Said("Waren geplante Arbeiten, inzwischen beendet.", (OVER, WORKS))],
    again=["{number}. Kontakt dazu."],
    credit=["{credit} gutgeschrieben."],
    channel={Channel.APP: "Nachricht über die App:", Channel.SOCIAL: "Nachricht über soziale Medien:", Channel.SHOP: "Kd. im Shop.", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "Rechnung", Reason.NETWORK: "Netz", Reason.DEVICE: "Gerät", Reason.PLAN: "Tarif", Reason.ROAMING: "Ausland", Reason.SIM: "SIM", Reason.GENERAL: "Sonstiges", Reason.FRAUD: "Missbrauch", Reason.CANCELLATION: "Kündigung"},
    place="in {0}", contracted={}, day="{day:02d}.{month:02d}.", months=(), hour="{0} Uhr", minute="{0}:{1:02d} Uhr", moment="{0}, {1}", money="{0} EUR", point=",",
)
_EN: Final = Tongue(
    topics={
        Topic.OUTAGE: [Said("Cust has had no network {place} since {since}.", (LASTS,)), Said("Cust had no network {place} from {since}.", (OVER,)), "No coverage {place}, started at {since} according to cust.", "Phone showed 'no service' {place} ({date}, {hour}).", "Cust reports that the network went down."],
        Topic.DROPPED_CALLS: ["Calls drop {place}, e.g. on {date} around {hour}.", "Cust was cut off {place} on {date} around {hour}.", "Call cut {place} ({date}), cust had to redial.", "Cust's calls keep dropping."],
        Topic.BLOCKED_CALLS: ["Cust could not get a line {place} on {date} around {hour}.", "Calls failed {place} ({date}, {hour}).", "No calls possible {place} on {date}.", "Cust cannot get a line."],
        Topic.SLOW_DATA: ["Slow internet {place}, {date} around {hour}.", "Mobile data hardly usable {place}, says cust ({date}, {hour}).", "Videos kept buffering {place} on {date}.", "Cust finds mobile data slow."],
        Topic.HIGH_BILL: [Said("Bill higher than expected, cust has {plan} ({fee}/month).", ends=["Went through bill, ok.", "Details sent by email."]), Said("Cust does not understand the amount, usually pays {usual} a month.", ends=["Went through bill, ok.", "Details sent by email."]), Said("Question about last bill, higher than usual.", ends=["Went through bill, ok."])],
        Topic.PAYMENT: [Said("Cust wants to pay {plan} bill in instalments.", ends=["Instalments agreed."]), Said("Payment not booked according to cust ({plan}).", ends=["Payment found."]), Said("Question about outstanding amount.", ends=["Explained amount and due date."])],
        Topic.ALLOWANCE: [Said("{plan} data nearly used up ({data} GB), cust asks what now.", (NEARLY,)), Said("Cust got a text that the {data} GB are nearly used up.", (NEARLY,)), Said("{plan} data used up ({data} GB), cust asks the price of extra data.", (GONE,)), Said("Cust got a text that the {data} GB are used up.", (GONE,)), "Question about this month's data use ({plan}).", "Cust asks how to keep track of data use."],
        Topic.PLAN_CHANGE: ["Cust moved to {plan}, asks for confirmation.", "Question about {plan} after change of plan.", "After change: cust does not understand the price of {plan} ({fee}/month)."],
        Topic.CONTRACT_END: ["Contract for {plan} runs out, cust asks about terms.", "End of minimum term of {plan}, cust wants to know what changes.", "Cust asks for end date of contract."],
        Topic.ROAMING_COST: [Said("Charges {far} too high, says cust.", ends=["Explained rates outside the EU."]), Said("Cust was {far}, charges went up.", ends=["Explained rates outside the EU."]), Said("Cust asks whether use {near} costs extra.", ends=["Explained: same rates as at home within the EU."]), "Question about charges abroad ({plan})."],
        Topic.ROAMING_ACCESS: ["No data {country}, says cust.", "Phone found no network {country}.", "Roaming does not work abroad."],
        Topic.NEW_DEVICE: ["New phone ({device}), help with settings.", "Help moving contacts to {device}.", "{device} just bought, SIM not recognised."],
        Topic.DEVICE_FAULT: [Said("{device} no longer starts properly.", ends=["Reset done, works again."]), Said("Battery of {device} drains fast.", ends=["Gave battery tips.", Said("Battery to be replaced, phone left with us.", (VISITS,))]), Said("Screen of {device} not responding, cust asks for repair.", ends=["Repair requested.", Said("Phone taken in for repair.", (VISITS,))])],
        Topic.SIM_SWAP: ["New SIM, swapped on {date}.", "SIM replaced ({date}), cust asks if all is ok.", "Question about the new SIM."],
        Topic.NUMBER_CHANGE: ["Number changed on {date}, question about old number.", "Number change, cust wants confirmation.", "Question about number change."],
        Topic.SUSPENSION: [Said("Line barred for unpaid bill ({plan}).", (BARRED,)), Said("Cust has been unable to call since {date}: unpaid bill.", (BARRED,)), Said("Line suspended, cust asks how to reactivate it.", (BARRED,)), "Question about suspension for unpaid bill."],
        Topic.SUSPICIOUS_CALLS: ["Suspicious calls, e.g. on {date}.", "Missed calls from odd foreign numbers.", "Cust fears a phone scam."],
        Topic.LEAVING: [Said("Cust wants to cancel {plan}.", ends=["Explained terms of cancelling.", "Made an offer, cust decides."]), Said("Cust is thinking of another operator, has {plan} at {fee}.", ends=["Made an offer, cust decides."]), Said("Cancellation: cust not happy.", ends=["Explained terms of cancelling."])],
        Topic.QUESTION: ["Question about the customer zone.", "Cust changes contact details.", "General question about {plan}."],
    },
    written={
        Topic.OUTAGE: [Said("no network {place} since {since}.", (LASTS,)), Said("had no network {place} from {since}.", (OVER,)), "phone showed 'no service' {place} ({date}, {hour}).", "network went down."],
        Topic.DROPPED_CALLS: ["calls drop {place}, e.g. on {date} around {hour}.", "call cut {place} ({date}).", "calls keep dropping."],
        Topic.BLOCKED_CALLS: ["calls failed {place} on {date} around {hour}.", "no calls possible {place} on {date}.", "cannot get a line."],
        Topic.SLOW_DATA: ["slow internet {place}, {date} around {hour}.", "videos kept buffering {place} on {date}.", "mobile data slow."],
        Topic.HIGH_BILL: ["bill higher than expected, has {plan} ({fee}/month).", "does not understand the amount, usually pays {usual} a month.", "question about last bill, higher than usual."],
        Topic.PAYMENT: [Said("wants to pay {plan} bill in instalments.", ends=["Instalments agreed."]), "payment not booked ({plan}).", "question about outstanding amount."],
        Topic.ALLOWANCE: [Said("{plan} data nearly used up ({data} GB), what now?", (NEARLY,)), Said("{plan} data used up ({data} GB), what does extra data cost?", (GONE,)), "question about this month's data use ({plan}).", "how to keep track of data use?"],
        Topic.PLAN_CHANGE: ["moved to {plan}, asks for confirmation.", "question about price of {plan} after change of plan."],
        Topic.CONTRACT_END: ["contract for {plan} runs out, asks about terms.", "asks for end date of contract."],
        Topic.ROAMING_COST: ["finds charges {far} too high.", "charges went up {far}.", "does use {near} cost extra?", "question about charges abroad ({plan})."],
        Topic.ROAMING_ACCESS: ["no data {country}.", "phone found no network {country}.", "roaming does not work abroad."],
        Topic.NEW_DEVICE: ["new phone ({device}), asks for help with settings.", "{device} just bought, SIM not recognised."],
        Topic.DEVICE_FAULT: ["{device} no longer starts properly.", Said("battery of {device} drains fast.", ends=["Gave battery tips."]), Said("screen of {device} not responding, asks for repair.", ends=["Repair requested."])],
        Topic.SIM_SWAP: ["SIM replaced ({date}), is all ok?", "question about the new SIM."],
        Topic.NUMBER_CHANGE: ["number changed on {date}, question about old number.", "wants confirmation of number change."],
        Topic.SUSPENSION: [Said("unable to call since {date}: unpaid bill.", (BARRED,)), Said("line suspended, how to reactivate it?", (BARRED,)), "question about suspension for unpaid bill."],
        Topic.SUSPICIOUS_CALLS: ["suspicious calls, e.g. on {date}.", "missed calls from odd foreign numbers."],
        Topic.LEAVING: ["wants to cancel {plan}.", "thinking of another operator, has {plan} at {fee}.", "not happy, wants to cancel."],
        Topic.QUESTION: ["question about the customer zone.", "new contact details.", "general question about {plan}."],
    },
    top_up=[Said("Top-up not credited to {plan}, says cust.", ends=["Top-up found."]), "Question about topping up {plan}.", "Balance wrong according to cust."],
    written_top_up=["top-up not credited to {plan}.", "question about topping up {plan}.", "balance wrong."],
    ends={
        Resolution.SOLVED: ["Solved.", "Ok for cust.", "Sorted."],
        Resolution.CALLBACK: ["Cust will be called back.", "To be checked, call back.", "Not solved, callback planned."],
        Resolution.ESCALATED: ["Passed to 2nd line.", "Escalated to 2nd line.", "File sent to 2nd line."],
    },
    app_ends={
        Resolution.SOLVED: ["Solved in the app.", "Answer found in the app."],
        Resolution.CALLBACK: ["Callback requested in the app.", "Not solved in the app, cust will be called back."],
    },
    informed=["Cust has been informed."],
    busy=["Explained: network very busy at that time."],
    left={
        Channel.CALL: ["Hung up after waiting {wait} (menu: {menu}).", "Cust left the queue after {wait}, choice {menu}."],
        Channel.CHAT: ["Left the chat after waiting {wait} (subject: {menu})."],
    },
    cause=[Said("Known fault, engineers on it.", (LASTS, FAULT)), Said("Known fault, not fixed yet.", (LASTS, FAULT)), Said("Fault fixed in the meantime.", (OVER, FAULT)), Said("Was a known fault, back to normal.", (OVER, FAULT)), Said("Planned works, still under way.", (LASTS, WORKS)), Said("Were planned works, finished by now.", (OVER, WORKS))],
    again=["Contact no. {number} on this.", "Cust has been in touch before, this is contact no. {number}."],
    credit=["{credit} refunded.", "Credit of {credit} given."],
    channel={Channel.APP: "Message in app:", Channel.SOCIAL: "Message on social media:", Channel.SHOP: "Cust came to the shop.", Channel.CHAT: "Chat:"},
    menu={Reason.BILLING: "bill", Reason.NETWORK: "network", Reason.DEVICE: "device", Reason.PLAN: "plan", Reason.ROAMING: "abroad", Reason.SIM: "SIM", Reason.GENERAL: "other", Reason.FRAUD: "abuse", Reason.CANCELLATION: "cancel"},
    place="in {0}", contracted={}, day="{day} {name}", months=("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec"), hour="{0}:00", minute="{0}:{1:02d}", moment="{1} on {0}", money="EUR {0}", point=".",
)

NOTES: Final = {"nl": _NL, "fr": _FR, "de": _DE, "en": _EN}
"""The phrases by language."""

COUNTRY_NAMES: Final = {
    "nl": {"FR": "in Frankrijk", "NL": "in Nederland", "ES": "in Spanje", "DE": "in Duitsland", "IT": "in Italië", "GB": "in het VK", "LU": "in Luxemburg", "TR": "in Turkije", "MA": "in Marokko", "CH": "in Zwitserland", "US": "in de VS"},
    "fr": {"FR": "en France", "NL": "aux Pays-Bas", "ES": "en Espagne", "DE": "en Allemagne", "IT": "en Italie", "GB": "au Royaume-Uni", "LU": "au Luxembourg", "TR": "en Turquie", "MA": "au Maroc", "CH": "en Suisse", "US": "aux États-Unis"},
    "de": {"FR": "in Frankreich", "NL": "in den Niederlanden", "ES": "in Spanien", "DE": "in Deutschland", "IT": "in Italien", "GB": "in Großbritannien", "LU": "in Luxemburg", "TR": "in der Türkei", "MA": "in Marokko", "CH": "in der Schweiz", "US": "in den USA"},
    "en": {"FR": "in France", "NL": "in the Netherlands", "ES": "in Spain", "DE": "in Germany", "IT": "in Italy", "GB": "in the UK", "LU": "in Luxembourg", "TR": "in Turkey", "MA": "in Morocco", "CH": "in Switzerland", "US": "in the US"},
}
"""Countries that customers travel to with their preposition, by language and ISO code."""

# fmt: on


_WHERE: Final = {"place", "country", "far", "near"}
_WRITTEN: Final = (Channel.APP, Channel.SOCIAL)


@dataclass(frozen=True)
class Told:
    """What a note tells.

    Attributes:
        language: Code of the customer's language.
        channel, topic, resolution: Of the contact.
        facts: What can be named, by name (see the module's docstring), in the language.
        holds: Circumstances of the contact.
        prepaid: Whether the customer pays in advance.
        number: Which contact on the matter.
        matter: A random number that chooses what is said: the same for all contacts on a matter.
        choice: A random number that chooses the other phrases.
    """

    language: str
    channel: Channel
    topic: Topic
    resolution: Resolution
    facts: Mapping[str, str]
    holds: frozenset[Circumstance]
    prepaid: bool
    number: int
    matter: int
    choice: int


def note_of(told: Told) -> str:
    """Return the note of a contact."""
    tongue = NOTES[told.language]
    if told.resolution is Resolution.ABANDONED:
        return _text(_chosen(tongue.left[told.channel], told, told.choice), told)
    first = _chosen(_openings(tongue, told), told, told.matter)
    said = [first]
    if told.number > 1:
        said.append(_chosen(tongue.again, told, told.choice // 7))
    if told.holds & {LASTS, OVER}:
        said.append(_chosen(tongue.cause, told, told.choice // 53))
    said.append(_chosen(_ends(tongue, told, first), told, told.choice // 311))
    if "credit" in told.facts:
        said.append(_chosen(tongue.credit, told, told.choice // 1709))
    opening = tongue.channel.get(told.channel)
    return " ".join([*([opening] if opening else []), *(_text(each, told) for each in said)])


def _openings(tongue: Tongue, told: Told) -> Phrases:
    """Return what the customer may have said."""
    written = told.channel in _WRITTEN
    if told.prepaid and told.topic is Topic.PAYMENT:
        return tongue.written_top_up if written else tongue.top_up
    return (tongue.written if written else tongue.topics)[told.topic]


def _ends(tongue: Tongue, told: Told, first: Said) -> Phrases:
    """Return how it may have ended, after what was said first."""
    solved = told.resolution is Resolution.SOLVED
    if solved and LASTS in told.holds:
        return tongue.informed
    if told.channel is Channel.APP:
        return (solved and first.ends) or tongue.app_ends[told.resolution]
    if not solved:
        return tongue.ends[told.resolution]
    explained = tongue.busy if BUSY in told.holds else ()
    return [*tongue.ends[told.resolution], *first.ends, *explained]


def _chosen(phrases: Phrases, told: Told, number: int) -> Said:
    """Return one of the phrases that can be used, by a random number."""
    every = [Said(phrase) if isinstance(phrase, str) else phrase for phrase in phrases]
    known = [
        each
        for each in every
        if named_in(each.text) <= told.facts.keys() and told.holds.issuperset(each.when)
    ]
    # Who knows where it was writes it down.
    known = [each for each in known if named_in(each.text) & _WHERE] or known
    return known[number % len(known)]


def _text(said: Said, told: Told) -> str:
    return said.text.format_map(dict(told.facts))


def named_in(phrase: str) -> set[str]:
    """Return what a phrase names."""
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}
