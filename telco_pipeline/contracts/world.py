"""Contracts of what exists: places, network, catalogue and the subscriber registry.

Belongs here: datasets that are made once for a world. Does not belong here: anything by day.
"""

import dataframely as dy

from telco_pipeline.contracts import codes
from telco_pipeline.contracts.base import (
    Dataset,
    ForeignKey,
    Layout,
    big,
    code,
    date,
    flag,
    number,
    real,
    small,
    text,
)

# A table of one row a line reads better wide.
# fmt: off

IMSI = r"^\d{14,15}$"
MSISDN = r"^\+[1-9]\d{4,14}$"
IMEI = r"^\d{15}$"
PLMN = r"^\d{5,6}$"

PERSON_KINDS = ["person", "business", "visitor", "machine"]
LANGUAGES = ["nl", "fr", "de", "en"]
TIE_KINDS = ["household", "colleague", "friend", "acquaintance", "business"]


class Places(dy.Schema):
    """Populated places."""

    place_id = text("Key of the place: `BE` and its GeoNames id.", key=True)
    name = text("Name as GeoNames has it.")
    region = code("Region (GeoNames admin1).", ["BRU", "VLG", "WAL"])
    language = code("Language in which customers here are written to.", LANGUAGES)
    latitude = real("Latitude, WGS 84.", minimum=49.4, maximum=51.6, unit="degree")
    longitude = real("Longitude, WGS 84.", minimum=2.5, maximum=6.5, unit="degree")
    population = number("Inhabitants as GeoNames has them.", minimum=1, unit="person")
    postal_code = text("Four-digit postal code, synthetic: fits the region, not the real place.", regex=r"^\d{4}$")
    density = code("Whether the surroundings are built up.", ["dense", "suburban", "sparse"])


class Sites(dy.Schema):
    """Radio sites."""

    site_id = text("Key of the site.", key=True)
    place_id = text("Nearest populated place.")
    latitude = real("Latitude, WGS 84.", minimum=49.4, maximum=51.6, unit="degree")
    longitude = real("Longitude, WGS 84.", minimum=2.5, maximum=6.5, unit="degree")
    ground_altitude = small("Ground above sea level (from latitude and longitude, modelled).", unit="m", minimum=-5, maximum=700)
    vendor = text("Vendor of the radio equipment.")
    router_id = text("Site router (element) that carries its backhaul.")
    built = date("Day on which the site went on air.")


class Cells(dy.Schema):
    """Radio cells: one sector of one generation at one site."""

    cell_id = text("Key of the cell: MCC, MNC, node and cell number as in its CGI, ECGI or NCGI.", key=True, standard="TS 23.003 CGI/ECGI/NCGI")
    site_id = text("Site that carries the cell.")
    element_id = text("Base station (BTS, eNB or gNB) that the cell belongs to.")
    rat_type = code("Radio access type.", codes.Rat, standard="TS 29.274 rATType")
    node_id = number("Number of the base station: eNB 20 bit, gNB 22 bit; BTS as site number.", standard="TS 36.413/38.413")
    cell_number = small("Number of the cell within its base station.")
    eci = big("Cell identity as one number: ECI 28 bit, NCI 36 bit, CI 16 bit for GERAN.", standard="TS 36.413/38.413/23.003")
    tac = number("Tracking area code (location area code for GERAN).", standard="TS 23.003 TAC/LAC")
    sector = small("Sector of the site, from 0.")
    azimuth = small("Direction of the antenna, clockwise from north.", unit="degree", maximum=359)
    latitude = real("Latitude of the antenna, WGS 84.", minimum=49.4, maximum=51.6, unit="degree")
    longitude = real("Longitude of the antenna, WGS 84.", minimum=2.5, maximum=6.5, unit="degree")
    altitude = small("Antenna above ground.", unit="m", maximum=100)
    cell_class = code("Size class.", codes.CellClass)
    band = text("Operating band.", standard="TS 36.104/38.104, GSM band")
    frequency = small("Carrier frequency.", unit="MHz")
    bandwidth = real("Carrier bandwidth.", unit="MHz", minimum=0.2)
    prb_total = small("Physical resource blocks (time slots for GERAN).", standard="TS 28.552 RRU.PrbTotDl")
    capacity = number("Downlink capacity of the sample's share of the cell: the real cell's Mbit/s times subscribers over `sample_of`.", unit="kbit/s", minimum=1)
    range_m = number("Radius that the cell serves.", unit="m", minimum=50)
    vendor = text("Vendor of the equipment.")
    hardware_age_days = number("Age of the radio hardware on the epoch.", unit="day")


class NetworkElements(dy.Schema):
    """Elements of the core, transport and service platforms, and base stations."""

    element_id = text("Key of the element.", key=True)
    element_type = code("Type of the element.", codes.ElementType, standard="TS 23.002, TS 23.501")
    name = text("Host name, as it stands in log lines.")
    vendor = text("Vendor.")
    site_id = text("Radio site, for base stations and site routers.", nullable=True)
    place_id = text("Place in which it stands.")
    address = text("Management address.", regex=r"^10\.\d{1,3}\.\d{1,3}\.\d{1,3}$")
    software = text("Software release on the epoch.")
    installed = date("Day of installation.")


class NetworkLinks(dy.Schema):
    """Links between network elements."""

    link_id = text("Key of the link.", key=True)
    a_element_id = text("Element at the A end (nearer to the customer).")
    b_element_id = text("Element at the B end.")
    interface = text("Reference point or link type.", standard="TS 23.002, TS 23.501")
    capacity = number("Capacity.", unit="Mbit/s", minimum=1)


class Devices(dy.Schema):
    """Models of phones and modules."""

    device_id = text("Key of the model.", key=True)
    brand = text("Brand (invented).")
    model = text("Model.")
    released = date("Day of release.")
    device_class = code("What it is.", ["smartphone", "feature phone", "router", "module"])
    best_rat = code("Best radio access type it supports.", codes.Rat)
    volte = flag("Speaks voice over LTE or NR.")
    dual_sim = flag("Takes two SIMs.")
    tac_first = text("First synthetic type allocation code; begins with 00, a test IMEI.", regex=r"^00\d{6}$", standard="TS 23.003 TAC")
    tac_last = text("Last type allocation code of the model.", regex=r"^00\d{6}$", standard="TS 23.003 TAC")
    price = big("List price on the epoch.", unit="micro-euro")


class Plans(dy.Schema):
    """Tariff plans."""

    plan_id = text("Key of the plan.", key=True)
    name = text("Name.")
    payment = code("How it is paid.", ["postpaid", "prepaid", "wholesale"])
    segment = code("For whom.", ["consumer", "business", "machine", "visitor"])
    monthly_fee = big("Fee a month, VAT included.", unit="micro-euro")
    voice_seconds = number("Voice allowance a month; null: unlimited.", nullable=True, unit="s")
    messages = number("SMS allowance a month; null: unlimited.", nullable=True)
    data_bytes = big("Data allowance a month; null: unlimited.", nullable=True, unit="byte")
    voice_price = big("Price of a minute beyond the allowance.", unit="micro-euro")
    message_price = big("Price of an SMS beyond the allowance.", unit="micro-euro")
    data_price = big("Price of a megabyte beyond the allowance.", unit="micro-euro")
    qci = small("QoS class of its data bearer.", minimum=1, maximum=85, standard="TS 23.501 5QI / TS 23.203 QCI")
    s_nssai = text("Slice: SST and SD.", regex=r"^\d{1,3}-[0-9A-F]{6}$", standard="TS 23.501 S-NSSAI")
    access_point_name = text("APN or DNN of its data.", standard="TS 23.003 APN")
    offered_from = date("First day on which it was sold.")


class Subscribers(dy.Schema):
    """Initial values of every SIM card in service on the epoch."""

    subscriber_id = big("Key of the subscriber (one SIM).", key=True, minimum=1, personal="pseudonym")
    imsi = text("International mobile subscriber identity.", regex=IMSI, standard="E.212", personal="direct")
    msisdn = text("Number in international form.", regex=MSISDN, standard="E.164", personal="direct")
    number_holder = text("Network to which the number's range belongs; another than `home_plmn` for a number that was ported in.", regex=PLMN, standard="BIPT, EC numbering plan")
    imei = text("Equipment identity; its check digit is right.", regex=IMEI, standard="TS 23.003", personal="direct")
    iccid = text("Number of the SIM card; its check digit is right.", regex=r"^89\d{16,18}$", standard="E.118", personal="direct")
    holder_id = big("Key of the holder: the same for both SIMs of a phone with two.", minimum=1, personal="pseudonym")
    sim_slot = small("Slot of the SIM in the phone: 2 for the second SIM of a holder, 1 for all others.", minimum=1, maximum=2)
    household_id = big("Key of the household; null for firms, visitors and machines.", nullable=True, minimum=1, personal="pseudonym")
    persona = text("What kind of holder.", personal="profile")
    kind = code("Person, business, visitor or machine.", PERSON_KINDS)
    home_plmn = text("Network that issued the SIM: ours, or a visitor's.", regex=PLMN, standard="E.212")
    first_name = text("First name; null for machines.", nullable=True, personal="direct")
    last_name = text("Family name or company; null for machines.", nullable=True, personal="direct")
    birth_date = date("Date of birth; null for machines.", nullable=True, personal="direct")
    student = flag("Is a student.", personal="profile")
    language = code("Language of the customer.", LANGUAGES, personal="profile")
    street = text("Street and house number of the contract.", personal="direct")
    place_id = text("Place of the contract.", personal="location")
    plan_id = text("Plan on the epoch.")
    device_id = text("Device model on the epoch.")
    contract_start = date("First day of the contract.")
    contract_end = date("Last day of the running minimum term; null if there is none.", nullable=True)
    home_cell_id = text("Cell that serves the home (or the machine).", personal="location")
    work_cell_id = text("Cell that serves work or school; null if there is none.", nullable=True, personal="location")
    activity_level = real("Personal level: factor on the persona's rates.", minimum=0.0, personal="profile")
    satisfaction = real("Satisfaction on the epoch, 0 to 1.", minimum=0.0, maximum=1.0, personal="profile")
    churn_score = real("Monthly churn hazard on the epoch.", minimum=0.0, maximum=1.0, personal="profile")
    lifetime_value = big("Expected margin over the expected remaining life.", unit="micro-euro", minimum=None, personal="profile")


class SocialTies(dy.Schema):
    """Ties between our own subscribers: each pair once."""

    subscriber_id = big("One end; the smaller key of the two.", key=True, minimum=1, personal="pseudonym")
    other_subscriber_id = big("The other end.", key=True, minimum=1, personal="pseudonym")
    tie_kind = code("Where they know each other from.", TIE_KINDS, personal="profile")
    weight = real("How much the two have to do with each other, relative to other ties.", minimum=0.0, personal="profile")
    distance_km = real("Distance between the cells of their homes.", minimum=0.0, unit="km", personal="location")


PLACES = Dataset("places", 1, Places, Layout.STATIC, "places", "Populated places of the country with position, population, region and language (GeoNames).", sort=("place_id",))
SITES = Dataset("sites", 1, Sites, Layout.STATIC, "network", "Radio sites, placed where people live: close together in cities, far apart in the country.", (ForeignKey("place_id", "places", "place_id"), ForeignKey("router_id", "network_elements", "element_id")), sort=("site_id",), depends=("places",))
CELLS = Dataset("cells", 1, Cells, Layout.STATIC, "network", "Cells of the sites by sector and generation, with identity, antenna, band and capacity.", (ForeignKey("site_id", "sites", "site_id"), ForeignKey("element_id", "network_elements", "element_id")), sort=("cell_id",), depends=("sites",))
NETWORK_ELEMENTS = Dataset("network_elements", 1, NetworkElements, Layout.STATIC, "network", "Core, transport and service elements and base stations: what has an address and writes logs.", (ForeignKey("site_id", "sites", "site_id"), ForeignKey("place_id", "places", "place_id")), sort=("element_id",), depends=("sites",))
NETWORK_LINKS = Dataset("network_links", 1, NetworkLinks, Layout.STATIC, "network", "Links between elements: on which link does a cell hang, and what stands behind it.", (ForeignKey("a_element_id", "network_elements", "element_id"), ForeignKey("b_element_id", "network_elements", "element_id")), sort=("link_id",), depends=("network_elements",))
DEVICES = Dataset("devices", 1, Devices, Layout.STATIC, "catalogue", "Catalogue of phones and machine modules with synthetic type allocation codes.", sort=("device_id",))
PLANS = Dataset("plans", 1, Plans, Layout.STATIC, "catalogue", "Catalogue of tariff plans with allowances, prices, QoS class and slice.", sort=("plan_id",))
SUBSCRIBERS = Dataset("subscribers", 2, Subscribers, Layout.STATIC, "subscribers", "Registry: who holds each SIM on the epoch, where they live and work, what they use. Initial values only.", (ForeignKey("place_id", "places", "place_id"), ForeignKey("plan_id", "plans", "plan_id"), ForeignKey("device_id", "devices", "device_id"), ForeignKey("home_cell_id", "cells", "cell_id"), ForeignKey("work_cell_id", "cells", "cell_id")), depends=("places", "sites", "cells", "devices", "plans"))
PROSPECTS = Dataset("prospects", 1, Subscribers, Layout.STATIC, "state", "Who becomes a customer after the epoch, in order of joining: the registry's columns as they will be on that day. The simulation's own book; of whom it has become true, `identity_changes` tells.", SUBSCRIBERS.foreign_keys, depends=("places", "sites", "cells", "devices", "plans"))
SOCIAL_TIES = Dataset("social_ties", 2, SocialTies, Layout.STATIC, "subscribers", "Who knows whom among our subscribers, those who join later included, and how well: households, colleagues, friends, acquaintances, customers of businesses.", (ForeignKey("subscriber_id", "subscribers", "subscriber_id", ("prospects",)), ForeignKey("other_subscriber_id", "subscribers", "subscriber_id", ("prospects",))), sort=("subscriber_id", "other_subscriber_id"), depends=("subscribers", "prospects", "cells", "places"))
