"""The catalogue: every fact that the report holds records against, with band, source, tolerance.

Belongs here: targets, and the published tables that rows compare with. Does not belong here: how a
row is measured. The bands were chosen before anything was measured; a row that fails stays as it
is and says so. `SOURCES` names the works in full.
"""

from typing import Final

from telco_pipeline.analytics.realism.report import (
    DATA,
    FRAUD,
    MACHINES,
    MOBILITY,
    OF_SCENARIOS,
    QUALITY,
    RHYTHM,
    SOCIAL,
    Row,
)

CALLS_BY_HOUR: Final = (
    0.8, 0.4, 0.3, 0.2, 0.2, 0.4, 1.2, 2.6, 4.2, 5.6, 6.2, 6.6,
    7.0, 6.3, 6.2, 6.6, 7.2, 8.2, 8.0, 6.6, 5.4, 4.4, 3.2, 2.2,
)  # fmt: skip
SMS_BY_HOUR: Final = (
    1.2, 0.9, 0.3, 0.2, 0.1, 0.0, 0.8, 2.9, 4.1, 5.5, 5.2, 5.9,
    6.9, 6.0, 5.7, 5.7, 7.0, 7.1, 5.8, 6.6, 6.8, 6.6, 5.5, 3.2,
)  # fmt: skip
DATA_BY_HOUR: Final = (
    4.3, 3.0, 1.9, 1.2, 0.9, 0.8, 1.1, 2.2, 3.4, 4.1, 4.5, 4.8,
    5.2, 5.6, 5.5, 5.3, 5.3, 5.6, 5.9, 5.9, 5.8, 5.9, 6.2, 5.8,
)  # fmt: skip
CELLS_BY_HOUR: Final = {
    "residential": (
        3.8, 2.4, 1.8, 1.4, 1.2, 1.4, 2.2, 2.9, 3.4, 3.8, 4.1, 4.3,
        4.3, 4.5, 4.5, 4.6, 4.7, 5.2, 6.0, 6.5, 6.9, 7.3, 7.0, 5.7,
    ),
    "office": (
        1.4, 1.0, 0.8, 0.5, 0.4, 0.6, 0.9, 2.5, 6.3, 7.9, 8.2, 8.2,
        8.2, 8.3, 8.1, 7.7, 6.5, 4.7, 3.7, 3.3, 3.1, 2.9, 2.6, 2.1,
    ),
    "transport": (
        0.4, 0.3, 0.2, 0.2, 0.2, 0.4, 2.6, 10.0, 8.9, 5.5, 4.5, 4.0,
        4.2, 4.2, 4.7, 5.3, 7.0, 9.5, 9.1, 5.7, 4.6, 3.9, 3.5, 1.0,
    ),
}  # fmt: skip
"""Percent of the day in each local hour: calls (design shape), SMS (CNS), data volume (Feknous
2014), and of a cell's weekday by what stands around it (Xu 2017)."""

SERVICES: Final = {
    "facebook": (36.7, 5.74, 1.04, 0.27),
    "snapchat": (17.8, 5.67, 1.13, 0.20),
    "instagram": (13.4, 5.22, 0.73, 0.84),
    "instagram_video": (6.6, 6.38, 1.04, 1.45),
    "youtube": (5.0, 5.13, 0.78, 0.94),
    "netflix": (3.0, 6.50, 0.85, 1.01),
    "google_maps": (2.7, 5.18, 0.83, 0.56),
    "waze": (1.6, 5.16, 0.84, 0.48),
    "icloud": (1.5, 5.71, 1.02, 0.57),
    "facebook_live": (1.4, 6.13, 0.93, 1.89),
    "deezer": (1.2, 6.50, 0.81, 0.27),
    "spotify": (1.1, 4.63, 1.00, 0.36),
    "twitter": (1.1, 5.48, 0.90, 0.63),
    "amazon": (1.1, 5.54, 0.97, 0.95),
    "whatsapp": (1.0, 5.18, 1.06, None),
    "twitch": (0.9, 7.20, 1.10, 1.29),
}
"""Share of the sessions in percent, mean and standard deviation of log10 of a session's bytes, and
exponent of volume over duration, by service (Zanella et al., ACM IMC 2023)."""

SOURCES: Final = {
    "BIPT": "Belgian Institute for Postal Services and Telecommunications, reports on the Belgian "
    "market of electronic communications: figures of 2024 (published 2025) and of 2019.",
    "CNS": "Sapiezynski et al., Interaction data from the Copenhagen Networks Study, Scientific "
    "Data 6, 315, 2019; measured on the published calls and SMS.",
    "Elmi 2013": "Elmi et al., Detecting SIM box fraud using neural network, 2013.",
    "Feknous 2014": "Feknous et al., Internet traffic analysis: a case study from two major "
    "European operators, IEEE ISCC 2014.",
    "Goh & Barabasi 2008": "Goh, Barabasi, Burstiness and memory in complex systems, EPL 81, "
    "48002, 2008.",
    "Gonzalez 2008": "Gonzalez, Hidalgo, Barabasi, Understanding individual human mobility "
    "patterns, Nature 453, 779, 2008.",
    "Jiang 2013": "Jiang et al., Calling patterns in human communication dynamics, PNAS 110, "
    "1600, 2013.",
    "Karsai 2012": "Karsai, Kaski, Barabasi, Kertesz, Universal features of correlated bursty "
    "behaviour, Scientific Reports 2, 397, 2012.",
    "Murynets 2014": "Murynets et al., Analysis and detection of SIMbox fraud in mobility "
    "networks, IEEE INFOCOM 2014.",
    "Onnela 2007": "Onnela et al., Structure and tie strengths in mobile communication networks, "
    "PNAS 104, 7332, 2007.",
    "Sahin & Francillon 2021": "Sahin, Francillon, Understanding and detecting international "
    "revenue share fraud, NDSS 2021.",
    "Seshadri 2008": "Seshadri et al., Mobile call graphs: beyond power-law and lognormal "
    "distributions, ACM KDD 2008.",
    "Shafiq 2012": "Shafiq et al., A first look at cellular machine-to-machine traffic, ACM "
    "SIGMETRICS 2012.",
    "Song 2010": "Song, Koren, Wang, Barabasi, Modelling the scaling properties of human "
    "mobility, Nature Physics 6, 818, 2010.",
    "Vaz de Melo 2010": "Vaz de Melo et al., Surprising patterns for the call duration "
    "distribution of mobile phone users, ECML PKDD 2010.",
    "Xu 2017": "Xu et al., Understanding mobile traffic patterns of large scale cellular towers in "
    "urban environment, IEEE/ACM Transactions on Networking 25, 1147, 2017.",
    "Zanella 2023": "Zanella et al., session-level demands of 30 mobile services in France, ACM "
    "IMC 2023.",
    "arXiv 2411.19586": "Preprint 2411.19586 of arxiv.org, 2024.",
    "practice": "Practice of operators: a band, not a measurement.",
    "design shape": "A shape as operators see it, with two humps; not a measurement.",
}
"""The works behind the rows, by what stands in their column `source`."""

_VAZ: Final = "Vaz de Melo 2010"
_CNS: Final = "measured CNS"
_CNS_PRACTICE: Final = "measured CNS, practice"
_GOH: Final = "measured CNS; Goh & Barabasi 2008"
_KARSAI: Final = "Karsai 2012"
_JIANG: Final = "Jiang 2013"
_ONNELA: Final = "Onnela 2007"
_BIPT: Final = "BIPT report 2025"
_BIPT_2019: Final = "BIPT 2019"
_GONZALEZ: Final = "Gonzalez 2008"
_SONG: Final = "Song 2010"
_ZANELLA: Final = "Zanella 2023"
_XU: Final = "Xu 2017"
_SHAFIQ: Final = "Shafiq 2012"
_PRACTICE: Final = "practice"

_PROFILE: Final = (
    "Total variation: percent points of the day that lie in another hour. 8: a quarter of what "
    "lies between an office and a home."
)
_CELL_PROFILE: Final = (
    "Total variation. 12: less than half of what lies between any two of the three tables, for no "
    "cell has homes or offices only."
)

_CALLS: Final = (
    Row(
        "calls.duration.median", SOCIAL, "Duration of answered calls: median", "s",
        "median 60-70 s", (60, 70), _CNS_PRACTICE,
    ),
    Row(
        "calls.duration.mean", SOCIAL, "Duration of answered calls: mean", "s",
        "mean 2-3 min", (120, 180), _CNS_PRACTICE,
    ),
    Row(
        "calls.duration.ln_sigma", SOCIAL, "Duration of answered calls: ln-sigma", "",
        "ln-sigma 1.2-1.4", (1.2, 1.4), _CNS_PRACTICE,
    ),
    Row(
        "calls.duration.lognormal_ks", SOCIAL,
        "KS distance of log-normal or log-logistic over that of exponential", "",
        "log-normal or log-logistic clearly beats exponential", (0, 0.5), _CNS_PRACTICE,
        "Clearly: at most half the distance.",
    ),
    Row(
        "calls.duration.users_loglogistic", SOCIAL,
        "Users whose durations a truncated log-logistic fits", "%",
        "fits more than 96 % of users", (96, None), _VAZ,
    ),
    Row(
        "calls.talk_time.longest_tenth", SOCIAL, "Talk time in the longest 10 % of calls", "%",
        "more than half", (50, None), _CNS_PRACTICE,
    ),
    Row(
        "calls.answered", SOCIAL, "Attempts that the called party answers", "%",
        "answered 65-80 %", (65, 80), _CNS,
    ),
    Row(
        "calls.missed.followed", SOCIAL,
        "Missed calls redialled or called back within the hour", "%",
        "often", (20, 65), _CNS,
        "Often: from a fifth up; people give up some of the time.",
    ),
    Row(
        "calls.missed.lift", SOCIAL,
        "The same over what the same pair does at that hour of other days", "times",
        "often redialled or called back", (3, None), _CNS,
        "Clearly more than pair and hour alone explain: three times.",
    ),
    Row(
        "sms.alternation", SOCIAL,
        "Messages within an hour of the pair's last that change direction", "%",
        "messages alternate direction", (55, 90), _CNS,
        "Independent directions give 50 or less; more than 90 would be a metronome.",
    ),
    Row(
        "sms.reply.within_10_min", SOCIAL,
        "Replies of the same hour that come within 10 minutes", "%",
        "replies come within minutes", (50, 95), _CNS,
        "Most of them, where an even hour has 17; some people answer later.",
    ),
)  # fmt: skip

_BURSTS: Final = (
    Row(
        "bursts.calls.burstiness", SOCIAL, "Burstiness B of a user's calls", "",
        "0.20-0.35", (0.20, 0.35), _GOH,
    ),
    Row(
        "bursts.sms.burstiness", SOCIAL, "Burstiness B of a user's SMS", "",
        "0.35-0.55", (0.35, 0.55), _GOH,
    ),
    Row(
        "bursts.calls.memory", SOCIAL, "Memory M of a user's calls", "",
        "between -0.1 and 0.1", (-0.1, 0.1), _GOH,
    ),
    Row(
        "bursts.sms.memory", SOCIAL, "Memory M of a user's SMS", "",
        "between -0.1 and 0.1", (-0.1, 0.1), _GOH,
    ),
    Row(
        "bursts.calls.without_rhythm", SOCIAL, "B of calls with the weekly rhythm removed", "",
        "bursts survive removing the daily rhythm", (0.1, None), _KARSAI,
        "Clearly above 0, which independent events give.",
    ),
    Row(
        "bursts.sms.without_rhythm", SOCIAL, "B of SMS with the weekly rhythm removed", "",
        "bursts survive removing the daily rhythm", (0.1, None), _KARSAI,
        "Clearly above 0, which independent events give.",
    ),
    Row(
        "bursts.calls.links", SOCIAL,
        "Call trains on one link, over the same with partners shuffled", "times",
        "bursts belong to links", (1.5, None), _KARSAI,
        "Clearly more than the user's own choice of partners explains: half as many again.",
    ),
    Row(
        "bursts.calls.gap_exponent", SOCIAL, "Gaps between a pair's calls: exponent", "",
        "P(gap) ~ gap^-0.7 with a cut-off", (0.5, 0.9), _KARSAI,
        "0.2 either way: the fitted range of gaps moves the exponent that much.",
    ),
    Row(
        "bursts.calls.train_exponent", SOCIAL, "Sizes of call trains: exponent", "",
        "P(E) ~ E^-4.1", (3.3, 4.9), _KARSAI,
        "A fifth either way: trains of more than five are few in four weeks.",
    ),
    Row(
        "bursts.users.weibull", SOCIAL, "Users whose gaps are Weibull-like", "%",
        "most users (73 %)", (60, None), _JIANG, "Most: three fifths and more.",
    ),
    Row(
        "bursts.users.power_law", SOCIAL, "Users whose gaps a power law fits better", "%",
        "a few percent: machines, telesales, fraud", (0.5, 8), _JIANG,
        "A few percent.", counted=False, excuse=OF_SCENARIOS,
    ),
)  # fmt: skip

_TIES: Final = (
    Row(
        "ties.degree.mean", SOCIAL, "Mutual call graph: mean degree", "",
        "about 3 in 18 weeks", (1.8, 3.6), _ONNELA,
        "Four weeks see fewer ties than eighteen: from 1.8; a fifth above 3.",
    ),
    Row(
        "ties.degree.exponent", SOCIAL, "Mutual call graph: gamma of P(k) ~ (k+10.9)^-gamma", "",
        "gamma 8.4 in 18 weeks", (6.4, 10.4), _ONNELA,
        "2 either way: four weeks see fewer ties, which steepens the law.",
    ),
    Row(
        "ties.weight.exponent", SOCIAL,
        "Weight of ties: exponent of (w+280 s)^-1.9, cut-off scaled to the days", "",
        "1.9", (1.6, 2.2), _ONNELA, "0.3 either way: four weeks for eighteen.",
    ),
    Row(
        "ties.giant_component", SOCIAL, "Mutual call graph: users in the giant component", "%",
        "84 % in 18 weeks", (70, 92), _ONNELA,
        "Four weeks see fewer ties: from 70; 8 points above.",
    ),
    Row(
        "ties.overlap.rises", SOCIAL, "Overlap of neighbours by tie weight: rank correlation", "",
        "overlap rises with tie weight", (0.8, None), _ONNELA,
        "Spearman over ten classes of weight: rises all but always.",
    ),
    Row(
        "ties.reciprocity", SOCIAL, "Reciprocity of SMS ties less that of call ties", "% points",
        "SMS ties are more reciprocal than call ties", (1, None), _CNS, "By a point at least.",
    ),
    Row(
        "ties.clustering", SOCIAL, "Clustering of the call graph", "",
        "0.2-0.25 in a closed student population", (0.20, 0.25), _CNS,
    ),
    Row(
        "ties.top_contact", SOCIAL, "Top contact's share of a user's calls and SMS", "%",
        "takes most of the user's events", (30, 70), _CNS,
        "Over half among students who are all in the study; contacts elsewhere take their part "
        "here, so from 30.",
    ),
    Row(
        "activity.calls.ln_sd", SOCIAL, "Calls per user: ln-sd", "",
        "1.2", (1.0, 1.4), "Seshadri 2008, measured CNS", "0.2 either way.",
    ),
    Row(
        "activity.sms.ln_sd", SOCIAL, "SMS per user: ln-sd", "",
        "1.5", (1.3, 1.7), "Seshadri 2008, measured CNS", "0.2 either way.",
    ),
)  # fmt: skip

_MARKET: Final = (
    Row(
        "market.voice_minutes", SOCIAL, "Voice minutes per active human SIM and month", "min",
        "148", (133, 163), _BIPT, "A tenth either way: one month of a year.",
    ),
    Row(
        "market.sms", SOCIAL, "SMS per active residential SIM and month", "",
        "60", (54, 66), _BIPT, "A tenth either way: one month of a year.",
    ),
    Row(
        "market.data_gigabytes", SOCIAL, "Mobile data per active human SIM and month", "GB",
        "10.1", (9.1, 11.1), _BIPT, "A tenth either way: one month of a year.",
    ),
    Row(
        "market.prepaid", SOCIAL, "Prepaid among human SIMs", "%",
        "11.8", (10.3, 13.3), _BIPT, "1.5 points either way.",
    ),
    Row(
        "market.m2m", SOCIAL, "M2M among all SIMs", "%",
        "3.1 M beside 11.95 M human ones: 20.6", (19.1, 22.1), _BIPT_2019,
        "1.5 points either way.",
    ),
    Row(
        "market.change_of_operator", SOCIAL, "Customers who change operator, a year", "%",
        "20", (16, 24), _BIPT_2019,
        "A fifth either way: four weeks of a year. Each change is one who leaves and one who "
        "joins: the mean of both.",
    ),
)  # fmt: skip

_RHYTHM: Final = (
    Row(
        "rhythm.calls.profile", RHYTHM, "Calls by hour: distance to the table", "% points",
        "two humps, busy hour 7-9 %", (None, 8), "design shape", _PROFILE,
    ),
    Row(
        "rhythm.sms.profile", RHYTHM, "SMS by hour: distance to the table", "% points",
        "the table", (None, 8), _CNS, _PROFILE,
    ),
    Row(
        "rhythm.data.profile", RHYTHM, "Data volume by hour: distance to the table", "% points",
        "the table", (None, 8), "Feknous 2014", _PROFILE,
    ),
    Row(
        "rhythm.cells.residential", RHYTHM,
        "Residential cells, weekday by hour: distance to the table", "% points",
        "the table", (None, 12), _XU, _CELL_PROFILE,
    ),
    Row(
        "rhythm.cells.office", RHYTHM,
        "Office cells, weekday by hour: distance to the table", "% points",
        "the table", (None, 12), _XU, _CELL_PROFILE,
    ),
    Row(
        "rhythm.cells.transport", RHYTHM,
        "Transport cells, weekday by hour: distance to the table", "% points",
        "the table", (None, 12), _XU, _CELL_PROFILE,
    ),
    Row(
        "rhythm.office.weekend", RHYTHM, "Office cells: weekend day over weekday", "%",
        "empty at weekends", (None, 50), _XU, "At most half of a weekday.",
    ),
    Row(
        "rhythm.data.busy_hour", RHYTHM, "Data volume in the busy hour", "%",
        "6-8 %", (6, 8), "Feknous 2014",
    ),
    Row(
        "rhythm.data.peak_to_trough", RHYTHM, "Data volume: busiest over quietest hour", "times",
        "5-16", (5, 16), "Feknous 2014, Xu 2017",
    ),
    Row(
        "rhythm.data.trough", RHYTHM, "Data volume: start of the quietest hour, local", "h",
        "04-06 h", (4, 5), "Feknous 2014, Xu 2017",
    ),
    Row(
        "rhythm.calls.friday", RHYTHM, "Calls on Friday over those of the next busiest day", "",
        "calls peak on Friday", (1, 1.4), _PRACTICE, "Above every other day.",
    ),
    Row(
        "rhythm.calls.sunday", RHYTHM, "Calls on Sunday over those of the next quietest day", "",
        "calls dip on Sunday", (0.4, 1), _PRACTICE, "Below every other day.",
    ),
)  # fmt: skip

_MOBILITY: Final = (
    Row(
        "mobility.gyration.exponent", MOBILITY,
        "Radius of gyration: beta of (r+5.8 km)^-beta exp(-r/75 km)", "",
        "1.65; cut-off 50-100 km for Belgium", (1.35, 1.95), _GONZALEZ,
        "0.3 either way, twice the paper's error: the country cuts the law off early.",
    ),
    Row(
        "mobility.gyration.ks", MOBILITY, "Radius of gyration: KS distance to the law", "",
        "(r+5.8 km)^-1.65 exp(-r/kappa), kappa 50-100 km", (None, 0.15), _GONZALEZ,
        "At the kappa between 50 and 100 km that fits best.",
    ),
    Row(
        "mobility.jump.exponent", MOBILITY,
        "Length of jumps: beta of (d+1.5 km)^-beta exp(-d/86 km)", "",
        "1.75, cut-off scaled", (1.45, 2.05), _GONZALEZ,
        "0.3 either way, twice the paper's error: sites lie kilometres apart.",
    ),
    Row(
        "mobility.visits.zipf", MOBILITY, "Visits to the k-th most visited place: exponent", "",
        "1.2 +- 0.1", (1.1, 1.3), "Gonzalez 2008, Song 2010",
    ),
    Row(
        "mobility.exploration.exponent", MOBILITY, "Places seen by time t: exponent", "",
        "S(t) ~ t^0.6", (0.5, 0.7), _SONG, "0.1 either way.",
    ),
    Row(
        "mobility.exploration.new", MOBILITY,
        "Chance that a move leads to a new place: exponent over places seen", "",
        "0.6 S^-0.21", (0.1, 0.5), _SONG,
        "Falls: from half the exponent up; commutes count as moves to known places.",
    ),
    Row(
        "mobility.waiting.exponent", MOBILITY, "Time at one place: exponent, cut-off 17 h", "",
        "1.8, cut-off 17 h", (1.5, 2.1), _SONG, "0.3 either way: places are seen by the hour.",
    ),
    Row(
        "mobility.top_two", MOBILITY, "Time at a user's two most seen places", "%",
        "home and work carry most of the time", (60, 95), _PRACTICE,
        "Most: three fifths and more, but not all.",
    ),
    Row(
        "mobility.commute.morning", MOBILITY, "Weekday moves: busiest hour before noon", "h",
        "commuters peak at 07-09 h", (7, 8), _PRACTICE, "The hour that begins then.",
    ),
    Row(
        "mobility.commute.evening", MOBILITY, "Weekday moves: busiest hour after noon", "h",
        "commuters peak at 16-19 h", (16, 18), _PRACTICE, "The hour that begins then.",
    ),
    Row(
        "mobility.commute.peaks", MOBILITY,
        "Weekday moves an hour in the peaks over those at 10-15 h", "times",
        "commuters peak at 07-09 and 16-19 h", (1.2, None), _PRACTICE,
        "A fifth above midday shows a peak.",
    ),
)  # fmt: skip

_DATA: Final = (
    Row(
        "data.volume.means", DATA,
        "Session volume: largest deviation of a service's mean log10", "",
        "the table's u", (None, 0.15), _ZANELLA,
        "0.15 decades: a factor of 1.4, a sixth of one standard deviation.",
    ),
    Row(
        "data.volume.sds", DATA,
        "Session volume: largest deviation of a service's sd of log10", "",
        "the table's s", (None, 0.15), _ZANELLA, "0.15 decades, as of the means.",
    ),
    Row(
        "data.services", DATA, "Services' shares of sessions: distance to the table", "% points",
        "the table's shares", (None, 5), _ZANELLA,
        "Total variation; operators' customers differ by more.",
    ),
    Row(
        "data.duration.exponents", DATA,
        "Volume over duration: largest deviation of an exponent b from the table", "",
        "v = a d^b where b >= 0.3", (None, 0.15), _ZANELLA,
        "0.15: whole seconds and limits of records bend the law.",
    ),
    Row(
        "data.uplink.people", DATA, "Uplink share of people's bytes", "%",
        "8-12 %", (8, 12), _PRACTICE,
    ),
    Row(
        "data.users.top_tenth", DATA, "Bytes of the top 10 % of users", "%",
        "50-60 %", (50, 60), _PRACTICE,
    ),
    Row(
        "data.cells.busiest_tenth", DATA, "Sessions in the busiest tenth of cells", "%",
        "about 37 %", (32, 42), _ZANELLA, "5 points either way.",
    ),
    Row(
        "data.cells.quieter_half", DATA, "Sessions in the quieter half of cells", "%",
        "13 %", (10, 16), _ZANELLA, "3 points either way.",
    ),
    Row(
        "data.cells.ln_sd", DATA, "Sessions per cell: ln-sd", "",
        "1.2", (1.0, 1.4), _ZANELLA, "0.2 either way.",
    ),
    Row(
        "data.sites.log_normal", DATA, "Traffic density of sites: KS distance to log-normal", "",
        "traffic density is log-normal", (None, 0.12), _PRACTICE,
        "About the 2 % limit of a KS test of 160 sites.",
    ),
    Row(
        "data.sites.correlation", DATA, "Traffic density of sites: Moran's I", "",
        "correlated in space", (0.2, None), _PRACTICE, "Clearly above 0.",
    ),
)  # fmt: skip

_MACHINES: Final = (
    Row(
        "machines.uplink", MACHINES, "Machines: uplink over downlink", "times",
        "uplink exceeds downlink", (1, None), _SHAFIQ,
    ),
    Row(
        "machines.profile", MACHINES, "Machines' sessions by hour: distance to people's",
        "% points", "own daily shape", (10, None), _SHAFIQ, "Clearly another shape.",
    ),
    Row(
        "machines.on_the_hour", MACHINES,
        "Machines' sessions in the first minute of the hour over the mean minute", "times",
        "synchronised bursts on the hour", (2, None), _SHAFIQ, "Twice the mean shows a burst.",
    ),
    Row(
        "machines.session_size", MACHINES, "Median session of machines over that of people", "",
        "small frequent sessions", (None, 0.1), _SHAFIQ, "Smaller by ten.",
    ),
    Row(
        "machines.static", MACHINES, "Machines that stay at one place", "%",
        "static or fleet mobility", (60, 90), _SHAFIQ, "Most stand still; some belong to fleets.",
    ),
)  # fmt: skip

_SCENARIO_HAS: Final = {"counted": False, "excuse": OF_SCENARIOS}

_QUALITY: Final = (
    Row(
        "quality.setup", QUALITY, "RRC and E-RAB setup success", "%",
        ">= 99 % in a healthy cell", (99, None), _PRACTICE,
        "Both together: the product of the two. Healthy: hours in which the cell was never out "
        "of service.",
    ),
    Row(
        "quality.drop", QUALITY, "VoLTE calls dropped", "%",
        "0.3-0.5 %", (0.3, 0.5), _PRACTICE,
    ),
    Row(
        "quality.erab_drop", QUALITY, "E-RABs dropped", "%",
        "0.3-0.5 %", (0.3, 0.5), _PRACTICE,
        "In hours in which the cell was never out of service.",
    ),
    Row(
        "quality.handover", QUALITY, "Handover success, LTE and NR cells", "%",
        "98-99 %", (98, 99), _PRACTICE,
        "In hours in which the cell was never out of service.",
    ),
    Row(
        "quality.handover_older", QUALITY,
        "Failed handovers out of GERAN cells, over those out of LTE and NR cells", "times",
        "to an older RAT it fails several times as often", (2, 8), "practice; arXiv 2411.19586",
        "Several: from two to eight. The neighbours of a GERAN cell are GERAN cells; counters do "
        "not tell the target.",
    ),
    Row(
        "quality.availability", QUALITY, "Cell availability", "%",
        ">= 99.7 %", (99.7, None), _PRACTICE,
    ),
    Row(
        "quality.flash_crowd", QUALITY, "Attempts in a flash crowd over those of other days",
        "times", "x3-10", (3, 10), _PRACTICE, "The site of the crowd, as long as it stands.",
        **_SCENARIO_HAS,
    ),
    Row(
        "quality.flash_crowd.setup_first", QUALITY,
        "Flash crowd: setup success lost, less the rise of drops", "% points",
        "setup success falls before drops rise", (1, None), _PRACTICE, "By a point at least.",
        **_SCENARIO_HAS,
    ),
    Row(
        "quality.flash_crowd.prb", QUALITY, "Flash crowd: PRB use of the busiest cell", "%",
        "PRB use goes to 100 %", (95, 100), _PRACTICE, "In its busiest quarter of an hour.",
        **_SCENARIO_HAS,
    ),
    Row(
        "quality.flash_crowd.redials", QUALITY,
        "Flash crowd: second tries among the calls, over those elsewhere", "times",
        "redials feed it", (1.2, None), _PRACTICE, "A fifth more shows that they do.",
        **_SCENARIO_HAS,
    ),
    Row(
        "churn.postpaid", QUALITY, "Churn a month, postpaid", "%",
        "1-1.5 %", (1, 1.5), _PRACTICE,
    ),
    Row(
        "churn.prepaid", QUALITY, "Churn a month, prepaid", "%",
        "3-5 %", (3, 5), _PRACTICE,
    ),
    Row(
        "care.contacts", QUALITY, "Contacts with care per human SIM and year", "",
        "1-3", (1, 3), _PRACTICE,
    ),
    Row(
        "care.repeaters", QUALITY, "Matters per human SIM: ln-sigma of their rates", "",
        "repeaters log-normal", (0.5, 1.7), _PRACTICE,
        "Even customers have 0; users' calls and messages have 1.2 and 1.5.",
    ),
    Row(
        "care.handling", QUALITY, "Handling time of an agent: mean", "min",
        "5-8 min", (5, 8), _PRACTICE,
    ),
    Row(
        "care.first_contact", QUALITY, "Solved at the first contact", "%",
        "70-85 %", (70, 85), _PRACTICE,
        "Solved, and nobody came back with the matter within a week.",
    ),
)  # fmt: skip

_BOXES: Final = "Murynets 2014, Elmi 2013"
_IRSF: Final = "Sahin & Francillon 2021"

_FRAUD: Final = (
    Row(
        "fraud.sim_box.sims", FRAUD, "SIM boxes: SIMs in a device", "",
        "many SIMs on one IMEI or a small IMEI pool", (4, None), _BOXES,
        "Many: four, where a phone has one or two.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.sim_box.static", FRAUD, "SIM boxes: calls of a SIM at its one site", "%",
        "static cell", (95, None), _BOXES, "But for hours of its cell's outage.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.sim_box.calls", FRAUD, "SIM boxes: calls made by a SIM over those by a person",
        "times", "very many outgoing calls", (5, None), _BOXES,
        "Very many: five times as many; boxes that hide well share them among SIMs.",
        **_SCENARIO_HAS,
    ),
    Row(
        "fraud.sim_box.distinct", FRAUD, "SIM boxes: different numbers among the calls of a SIM",
        "%", "distinct/total near 1", (80, 100), _BOXES,
        "A fifth are second tries and numbers met again.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.sim_box.incoming", FRAUD, "SIM boxes: calls and SMS that come in, of all", "%",
        "nearly no incoming calls, SMS or data", (0, 5), _BOXES,
        "Nearly none: one in twenty.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.sim_box.night", FRAUD, "SIM boxes: share of calls at 22-07 h over people's",
        "times", "busy at night too", (1.5, None), _BOXES,
        "Clearly more than people: half as many again.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.irsf.tests", FRAUD, "Revenue share fraud: SIMs with test calls before the burst",
        "%", "test calls to premium ranges, then a burst", (50, 100), _IRSF,
        "Most: who is sure of a number does not test it.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.irsf.long", FRAUD, "Revenue share fraud: median duration over people's", "times",
        "a burst of long calls", (2, None), _IRSF, "Long: twice as long.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.irsf.night", FRAUD, "Revenue share fraud: calls at night or at the weekend", "%",
        "often at night or weekend", (60, None), _IRSF,
        "22-07 h, Saturday and Sunday; an even week would have 55.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.wangiri.ring", FRAUD, "Wangiri: time until the caller hangs up, median", "s",
        "one ring: < 3 s, unanswered", (None, 8), _PRACTICE,
        "Up to 5 s of paging and set-up come before the ring.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.wangiri.called", FRAUD, "Wangiri: subscribers called by one number, median", "",
        "few foreign numbers", (10, None), _PRACTICE,
        "Ours are one network of many that they call.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.wangiri.call_back", FRAUD, "Wangiri: one-ring calls that are called back", "%",
        "1-5 % call back", (1, 5), _PRACTICE, **_SCENARIO_HAS,
    ),
    Row(
        "fraud.wangiri.holds", FRAUD, "Wangiri: length of a call back, median", "min",
        "minutes long", (1, 15), _PRACTICE, "From a minute to a quarter of an hour.",
        **_SCENARIO_HAS,
    ),
    Row(
        "fraud.takeover.change", FRAUD, "Account takeover: SIM or IMEI changes at its start", "%",
        "SIM or IMEI change", (95, 100), _PRACTICE, "All but those who have left.",
        **_SCENARIO_HAS,
    ),
    Row(
        "fraud.takeover.place", FRAUD, "Account takeover: calls and SMS at sites new to the number",
        "%", "then bank calls and SMS from a new place", (50, 100), _PRACTICE,
        "Most: what people begin at new places is a tenth.", **_SCENARIO_HAS,
    ),
    Row(
        "fraud.takeover.bank", FRAUD, "Account takeover: SMS with short codes over people's",
        "times", "then bank calls and SMS", (3, None), _PRACTICE,
        "Three times as many. Banks write from short codes; which number a bank is called at the "
        "records do not tell.", **_SCENARIO_HAS,
    ),
)  # fmt: skip

ROWS: Final[tuple[Row, ...]] = (
    *_CALLS, *_BURSTS, *_TIES, *_MARKET, *_RHYTHM, *_MOBILITY, *_DATA, *_MACHINES, *_QUALITY,
    *_FRAUD,
)  # fmt: skip
"""Every row of the report, not yet measured."""
