"""Rebuilds `vocabulary.json`: `python -m telco_pipeline.world.vocabulary_build`.

Belongs here: where the words come from. Does not belong here: drawing words (`vocabulary`).

Names come from Faker; those of Belgium carry the counts of Statbel, so that Peeters is as frequent
as in life. What Faker lacks or gets wrong is added by hand: the generation to which a first name
belongs, Belgian street names, trades, and heads of lists that Faker has in alphabetical order.
The result is checked in, because a new release of Faker must not change the rows of a world.
"""

import importlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).with_name("vocabulary.json")
MAX_NAMES: Final = 600
_RARE: Final = 1_000  # of a word behind a hand-written head, whose own weigh 10,000 to 40,000

_CLEAN: Final = re.compile(r"[\w'’ -]+")

Weighted = dict[str, int]

_LOCALES: Final = {
    "nl": "nl_BE",
    "fr": "fr_BE",
    "de": "de_DE",
    "en": "en_GB",
    "nld": "nl_NL",
    "fra": "fr_FR",
    "es": "es_ES",
    "it": "it_IT",
    "pl": "pl_PL",
    "tr": "tr_TR",
}

# First names of Belgium by the generation that mostly bears them: born before 1962 ...
_OLD: Final = """
Marc Luc Jan Patrick Dirk Johan Paul Willy Jozef André Eddy Robert Marcel Guido Joseph Guy Freddy
Herman Ronny Walter Roger François Rudy Rudi Pierre Karel Jacques Georges Roland Albert Etienne
Hendrik Gilbert Willem Alfons Julien Maurice Ludo Werner Philip Wilfried Lucien Francis Bernard
Franciscus Johannes Raymond Gustaaf Hubert Joannes Ludovicus José Noël Gerard Josephus Petrus
Eduard Marnix Jean Michel Claude Yvan Yvon Gérard Fernand Armand Jean-Pierre Jean-Marie
Jean-Claude Jean-Louis Jean-Jacques Jean-Paul Jean-Michel Alfred Léopold Ghislain Christian Daniel
Jean-Marc Rik Raf Ivo Ivan Antoine René Leon Danny Hugo Frans Etienne Alain Guy Philippe Bernard
Maria Rita Martine Marleen Monique Godelieve Christiane Nicole Annie Jeannine Liliane Jacqueline
Nadine Greta Paula Denise Hilda Gerda Agnes Viviane Simonne Mariette Lutgarde Lisette Anny Lydia
Yvonne Christiana Georgette Arlette Erna Yvette Claudine Mireille Frieda Irène Lucienne Nelly
Jeanine Josée Rosette Odette Josephina Margaretha Micheline Margareta Marie-Louise Gilberte
Josiane Joanna Magda Marijke Lieve Mieke Francine Chantal Carine Diane Ingrid Hilde Brigitte
Myriam Ria Rosa Françoise Christine Michèle Danielle Colette Andrée Josette Jocelyne Georgette
Paulette Eliane Marie-Thérèse Marie-Claire Marie-France Marie-Paule Marie-Jeanne Marie-Rose
Ginette Gisèle Ghislaine Marcelle Huguette Annette Raymonde Madeleine Marguerite Thérèse Solange
Régine Bernadette Edith Maryse Evelyne Marie-Christine Geneviève Béatrice Dominique Pascale
Suzanne Simone Leona Clara Hortense Fernande Germaine Augusta Bertha Angèle Irma Elza
"""
# ... between 1962 and 1989 ...
_MIDDLE: Final = """
Peter Bart Tom Geert Wim David Steven Kevin Eric Koen Pieter Frank Stijn Erik Kristof Tim Kris
Kurt Jeroen Hans Sven Christophe Yves Maarten Stefan Wouter Bert Bram Nick Niels Pascal Stefaan
Davy Dries Nico Joris Mario Frederik Michael Andy Glenn Dieter Erwin Gert Dimitri Jurgen Benny
Steve Kenny Franky Ronald Thierry Didier Gino Joeri Johnny Tony Wesley Serge Björn Bjorn Kenneth
Jimmy Koenraad Mike Gunther Jürgen Chris Werner Ward Lieven Laurent Olivier Sébastien Frédéric
Stéphane Cédric Fabrice Grégory Jérôme Damien Ludovic Benoît Benoit Xavier Geoffrey Joël Fabian
Lionel Gaëtan Renaud Cyril Fabien Hervé Christopher Gregory Alain Eric Philippe Vincent Pascal
Nicolas Michaël Jonathan Julien Loïc Yannick Bertrand Franck Sebastien Bruno Emmanuel Steve
Sylvain Renato Johan Salvatore Giuseppe Denis Gauthier Olivier Raphaël Denis
Ann Els Nathalie Nancy Sofie Katrien Sandra Veerle Inge Patricia Ellen Cindy Ilse Wendy Christel
Sabine An Kim Isabelle Sonja Anita Kelly Heidi Annick Nele Anja Kathleen Annelies Elke Lore Karen
Liesbeth Karin Vanessa Leen Stefanie Jenny Petra Joke Kristel Peggy Evelien Véronique Veronique
Tine Sylvie Vicky Barbara Sabrina Tamara Karine Valerie Elien Saskia Lies Katleen Fabienne Dorien
Kristien Evy Eveline Lynn Tania Griet Anke Conny Greet Kathy Karolien Liesbet Hanne Isabel Daisy
Stéphanie Valérie Laurence Céline Virginie Caroline Aurélie Christelle Cécile Sandrine Laetitia
Mélanie Delphine Audrey Joëlle Aurore Amandine Muriel Angélique Corinne Séverine Magali Murielle
Catherine Carole Cathy Géraldine Natacha Marjorie Vinciane Anne-Sophie Adeline Ludivine Bénédicte
Emmanuelle Florence Jennifer Sophie Anne Julie Elodie Jessica Gaëlle Coralie Estelle Maud Sylviane
"""
# ... and from 1990 on.
_YOUNG: Final = """
Jayden Keano Evelyn Alisson Kimberley Jason Nathanaël Leandro Milo Lorena Lowie Thor Nand Otis Mona
Robbe Lars Wout Arne Jasper Mathias Noah Seppe Daan Milan Jules Emiel Sander Liam Kobe Senne Adam
Elias Mathis Brent Dylan Stan Quinten Jef Lander Lukas Vince Finn Matteo Mats Jarne Xander Toon
Tuur Vic Rune Luca Warre Tibo Siebe Ferre Lowie Lennert Mauro Aaron Viktor Wannes Jens Jelle Jonas
Lucas Ruben Robin Nathan Arno Maxim Mathijs Leon Arthur Hugo Théo Ethan Sacha Mathéo Maxence
Bastien Logan Thibault Thibaut Enzo Léo Noa Dorian Yanis Mathys Noé Timéo Nolan Justin Tristan
Oscar Maël Amaury Loris Esteban Tiago Mattéo Eden Rayan Kylian Eliott Gaspard Ryan Brandon Ugo
Romain Quentin Guillaume Maxime Florian Alexis Clément Jérémy Valentin Dylan Corentin Alessio
Lorenzo Kévin Antoine Gabriel Louis Victor Simon Martin Jordan Bryan Simon Augustin Basile Milo
Samuel Tom Oscar Léon Achille Alexandre
Emma Lotte Lisa Louise Eva Jolien Eline Amber Lien Lena Jana Fien Femke Lea Ella Elena Nina Noor
Silke Olivia Luna Nora Zoë Iris Mia Lina Fleur Margot Manon Mila Kimberly Lara Ine Kato Axelle
Kaat Pauline Anouk Febe Tessa Janne Michelle Jade Sanne Emily Bo Hannah Yana Laure Julia Charlotte
Laura Camille Elise Alice Léa Chloé Clara Anaïs Zoé Justine Marine Noémie Océane Elisa Lola
Margaux Alicia Célia Morgane Valentine Inès Mathilde Coralie Marion Romane Clémence Sofia Giulia
Emeline Eloïse Léna Alexia Maëlle Ophélie Lilou Eléonore Ambre Lou Clémentine Yasmine Tiffany Elsa
Alix Manon Juliette Victoria Fanny Sarah Mélissa Alison Laurie Cassandra Rose Emilie Hanne Britt
Evi Jill Naomi Jade Amélie
"""

# Names of families from Morocco (also Turkish, where Faker's Belgian lists mix them in): taken out
# of the lists above, so that no Bart Ahmed comes about, and drawn together.
_MOROCCAN: Final = {
    "M": """Mohamed Ahmed Youssef Rachid Hassan Karim Said Bilal Hamza Ayoub Mehdi Abdellah Omar
        Ali Brahim Mustapha Khalid Anas Ilias Soufiane Younes Zakaria Amine Ismael Nordin Yassine
        Driss Jamal Redouane Imran Tarik Adil Hicham Aziz Naoufal Badr""",
    "F": """Fatima Khadija Naima Samira Aicha Malika Yasmina Nadia Hanane Karima Latifa Rachida
        Salma Imane Sanae Meryem Nora Hafida Loubna Siham Ikram Chaima Inaya Aya Hajar Ilham Souad
        Zineb Amina Mina Najat Saida Farah Dounia Assia Kaoutar""",
    "last": """El_Amrani Bouzid El_Khattabi Benali Amrani Azzouzi El_Idrissi Bakkali El_Haddad
        Chaoui Tahiri Ben_Said Ouali El_Fassi Haddouchi Boujemaa Benhaddou Saidi Lamrani
        El_Morabit Alaoui Bennani Aarab Zerouali El_Bouzidi Daoudi Ziani Ait_Ali Hamdaoui Mansouri
        El_Yaakoubi Rahmouni Belkacem Chahbi Essaidi Taoufik Kaddouri El_Mokhtari Achahbar
        Benchikh""",
}
_FOREIGN_IN_BELGIUM: Final = """
Mohamed Mohammed Mohammad Ahmed Ahmad Ahmet Ali Abdul Abdullah Abdellah Abdelkader Adil Amine Amir
Anas Ayman Ayoub Bilal Brahim Hamza Hassan Hussein Ibrahim Ilias Ilyas Imran Ismail Ismael Karim
Khalid Mehdi Mehmet Murat Mustafa Mustapha Mouad Nabil Omar Osman Othman Rachid Rayan Reda Said
Samir Soufiane Tarik Walid Yassin Yassine Younes Youness Youssef Yusuf Zakaria Hasan Hakim Hamid
Jamal Aziz Farid Emre Adem Hicham Abdelhak Abdeslam Aicha Ayse Fatima Fatma Fatiha Farida Hafsa
Hajar Hanane Imane Jamila Karima Khadija Latifa Malika Mariam Maryam Meryem Naima Rachida Saida
Salma Samira Souad Zeynep Yasmina Amina Aya Hanan Ikram Houda Zohra Malak Halima Nawal Singh Khan
Yilmaz Kaya Demir Sahin Yildiz Celik Ozturk Aydin Arslan Dogan Nguyen Diallo Bah Barry Sow Bâ
Hussain Öztürk Yıldız Yılmaz Çelik Şahin Özdemir El_Amrani Benali Amrani
"""

_HEADS: Final = {
    "de": """Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch
        Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann
        Lange Schmitt Werner Schmitz Krause Meier Lehmann Schmid Schulze Maier Köhler Herrmann
        König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert""",
    "nld": """de_Jong Jansen de_Vries van_den_Berg van_Dijk Bakker Janssen Visser Smit Meijer
        de_Boer
        Mulder de_Groot Bos Vos Peters Hendriks van_Leeuwen Dekker Brouwer de_Wit Dijkstra Smits
        de_Graaf van_der_Meer van_der_Linden Kok Jacobs de_Haan Vermeulen van_den_Heuvel
        van_der_Veen van_den_Broek de_Bruijn de_Bruin van_der_Heijden Schouten van_Beek Willems
        van_Vliet van_de_Ven Hoekstra Maas Verhoeven Koster van_Dam van_der_Wal Prins Blom Huisman
        Peeters de_Jonge Kuipers van_Veen Kuiper Post Veenstra Kramer van_den_Brink Scholten
        van_Wijk Postma Martens Vink de_Ruiter Timmermans Groen Gerritsen Jonker van_Loon Boer
        van_der_Velde Willemsen Smeets de_Lange de_Vos Bosch van_Dongen Schipper de_Koning
        van_der_Laan Koning van_der_Velden Driessen van_Doorn Hermans Evers van_den_Bosch
        van_der_Meulen Hofman Bosman Wolters Sanders van_der_Horst Mol Kuijpers Molenaar""",
    "es": """García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez
        Hernández Ruiz Díaz Moreno Muñoz Álvarez Romero Gutiérrez Alonso Navarro Torres Domínguez
        Ramos Vázquez Ramírez Gil Serrano Morales Molina Blanco Suárez Castro Ortega Delgado Ortiz
        Marín Rubio Núñez Medina Sanz Castillo Iglesias Cortés Garrido Santos Guerrero Lozano""",
    "it": """Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo
        Conti
        De_Luca Costa Giordano Mancini Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani
        Rinaldi Caruso Ferrara Galli Martini Leone Longo Gentile Martinelli Vitale Lombardo Serra
        Coppola De_Santis D'Angelo Marchetti Parisi Villa Conte Ferri Fabbri Bianco Marini
        Grasso""",
    "pl": """Nowak Wójcik Woźniak Kaczmarek Mazur Krawczyk Zając Król Wieczorek Wróbel Stępień
        Adamczyk Dudek Pawlak Sikora Walczak Baran Michalak Szewczyk Pietrzak Duda Włodarczyk Bąk
        Wilk Lis Kubiak Mazurek Kaźmierczak Sobczak Głowacz Kołodziej Szulc Kania Mróz Górka Krupa
        Kozak Kot Urban Cieślak Polak Kowal Kowalczyk Żak Sowa""",
    "en": """Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans
        Walker White Roberts Green Hall Wood Jackson Clarke Patel Khan Lewis James Phillips Mason
        Mitchell Rose Davis Rogers Anderson Cooper Harris Ward Turner Hill Moore Clark Harrison""",
}

_FIRST_HEADS: Final = {
    # Frequent first names, women then men: Faker has these lists in alphabetical order.
    "de": (
        """Anna Maria Sabine Petra Monika Claudia Susanne Andrea Birgit Martina Ursula Renate Karin
        Heike Stefanie Nicole Julia Katharina Christina Sandra Melanie Sarah Laura Lena Lea Hannah
        Johanna Sophie Marie Lisa Nadine Daniela Kerstin Anja Silke Gabriele Helga Ingrid Brigitte
        Christa Eva Barbara Elke Angelika Jana Katrin Miriam Vanessa Nina Clara""",
        """Michael Thomas Andreas Stefan Christian Peter Martin Wolfgang Klaus Jürgen Frank Markus
        Matthias Alexander Daniel Sebastian Tobias Jan Florian Lukas Felix Jonas Leon Paul
        Maximilian Tim Philipp Manfred Helmut Günter Hans Werner Dieter Uwe Bernd Rainer Ralf Jörg
        Sven Dirk Oliver Holger Karl Heinz Johannes David Simon Benjamin Dominik Patrick""",
    ),
    "es": (
        """María Carmen Ana Isabel Laura Cristina Marta Lucía Elena Paula Sara Raquel Pilar Teresa
        Rosa Beatriz Silvia Patricia Nuria Irene Alba Julia Andrea Sofía Claudia Mercedes Dolores
        Rocío Eva Inés Alicia Natalia Susana Yolanda Montserrat""",
        """Antonio José Manuel Francisco David Juan Javier Daniel Carlos Jesús Alejandro Miguel
        Rafael Pedro Pablo Ángel Sergio Fernando Jorge Luis Alberto Álvaro Diego Adrián Raúl Iván
        Rubén Enrique Óscar Ramón Vicente Andrés Joaquín Santiago Mario""",
    ),
    "it": (
        """Maria Anna Giulia Francesca Sara Laura Chiara Valentina Alessandra Martina Giorgia Elena
        Paola Silvia Federica Elisa Roberta Daniela Simona Monica Claudia Cristina Barbara Ilaria
        Alice Sofia Beatrice Carla Angela Rosa Teresa Giovanna Patrizia Antonella Lucia""",
        """Giuseppe Antonio Giovanni Francesco Mario Luigi Andrea Marco Alessandro Luca Matteo
        Lorenzo Davide Simone Federico Stefano Roberto Paolo Fabio Riccardo Salvatore Vincenzo
        Pietro Domenico Angelo Massimo Claudio Daniele Michele Alberto Giorgio Emanuele Filippo
        Enrico Nicola""",
    ),
    "tr": (
        """Fatma Ayşe Emine Hatice Zeynep Elif Meryem Şerife Sultan Hanife Merve Büşra Esra Özlem
        Yasemin Sevgi Hülya Songül Dilek Derya Ebru Gülsüm Leyla Melek Nur Selin Ceren Tuğba Filiz
        Aylin""",
        """Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim İsmail Osman Yusuf Murat Ömer Ramazan
        Halil
        Süleyman Emre Fatih Burak Serkan Hakan Kemal Orhan Cem Can Volkan Kadir Recep Metin Erdal
        Selim""",
    ),
    "pl": (
        """Anna Katarzyna Maria Małgorzata Agnieszka Barbara Ewa Magdalena Elżbieta Krystyna Joanna
        Monika Zofia Aleksandra Natalia Karolina Marta Beata Dorota Justyna Paulina Weronika Julia
        Kinga Patrycja""",
        """Piotr Krzysztof Tomasz Andrzej Paweł Michał Marcin Jakub Adam Łukasz Marek Mateusz
        Grzegorz Wojciech Mariusz Dariusz Maciej Rafał Kamil Jacek Robert Zbigniew Bartosz Szymon
        Artur""",
    ),
}

# Streets, roughly by frequency.
_STREETS_NL: Final = """
Kerkstraat Molenstraat Stationsstraat Schoolstraat Dorpsstraat Nieuwstraat Kapelstraat Veldstraat
Hoogstraat Kloosterstraat Stationslei Dorp Markt Grote_Markt Kerkplein Dorpsplein Steenweg
Molenweg Molenveld Bosstraat Kasteelstraat Kasteeldreef Kasteellaan Beekstraat Langestraat
Korte_Nieuwstraat Groenstraat Heidestraat Lindestraat Lindelaan Lindedreef Beukenlaan Beukendreef
Eikenlaan Eikenstraat Eikendreef Kastanjelaan Kastanjedreef Berkenlaan Acacialaan Populierenlaan
Populierenstraat Wilgenlaan Wilgenstraat Elzenstraat Essenlaan Dennenlaan Dennendreef Sparrenlaan
Notelaarstraat Hazelaarstraat Meidoornlaan Vlierstraat Hulststraat Klaverstraat Rozenlaan
Rozenstraat Tulpenlaan Tulpenstraat Leliestraat Anjerstraat Irisstraat Violetstraat Goudbloemlaan
Merelstraat Merellaan Vinkenstraat Vinkenlaan Leeuwerikstraat Leeuweriklaan Nachtegaalstraat
Nachtegaallaan Zwaluwstraat Zwaluwenlaan Mezenlaan Lijsterstraat Koekoekstraat Koekoeklaan
Fazantenlaan Patrijzenlaan Reigerstraat Ooievaarstraat Uilenstraat Akkerstraat Weidestraat
Hofstraat Hofstede Hoevestraat Broekstraat Meersstraat Vaartstraat Kaaistraat Brugstraat
Sluisstraat Rivierstraat Bergstraat Kouterstraat Kouterlaan Zandstraat Kiezelstraat
Krekelstraat Diepestraat Dreef Lange_Dreef Stropstraat Tuinwijk Tuinstraat Tuinlaan Parklaan
Parkstraat Sportlaan Sportstraat Gemeentestraat Gemeenteplein Gasthuisstraat Begijnhofstraat
Abdijstraat Pastorijstraat Pastoriestraat Kapellestraat Kapellelaan Sint-Jansstraat
Sint-Pietersstraat Sint-Martinusstraat Sint-Rochusstraat Sint-Antoniusstraat Sint-Jozefsstraat
Sint-Annastraat Sint-Amandusstraat Sint-Elooistraat Onze-Lieve-Vrouwstraat Heilig-Hartlaan
Koning_Albertstraat Koning_Albertlaan Koningin_Astridlaan Koningin_Elisabethlaan
Koning_Boudewijnlaan Koning_Leopoldstraat Leopoldlaan Leopoldstraat Prins_Albertstraat
Gaston_Eyskenslaan Guido_Gezellestraat Guido_Gezellelaan Hendrik_Consciencestraat
Pater_Damiaanstraat Priester_Daensstraat Pieter_Breugelstraat Rubenslaan Rubensstraat
Vandyckstraat Emile_Verhaerenlaan Stijn_Streuvelslaan Albrecht_Rodenbachstraat Jan_Breydelstraat
Pieter_De_Coninckstraat Arteveldestraat Vredestraat Vrijheidsstraat Vrijheidslaan Heldenlaan
Heldenplein Oudstrijdersstraat Oudstrijderslaan Frontstraat Bevrijdingslaan Gentsesteenweg
Brusselsesteenweg Antwerpsesteenweg Leuvensesteenweg Mechelsesteenweg Kortrijksesteenweg
Brugsesteenweg Aalstersesteenweg Turnhoutsebaan Diestsesteenweg Hasseltsesteenweg Tiensesteenweg
Gentstraat Bruggestraat Kortrijkstraat Ieperstraat Doornikstraat Rijselstraat Brusselstraat
Leuvensestraat Oude_Baan Oudebaan Nieuwe_Baan Grote_Baan Grotesteenweg Ringlaan Vesten Leiestraat
Scheldestraat Dijlestraat Netestraat Maasstraat Demerstraat Denderstraat Zennestraat Industrieweg
Industrielaan Nijverheidsstraat Nijverheidslaan Ambachtenlaan Ambachtstraat Smidsestraat
Bakkerstraat Brouwerijstraat Vlasstraat Weverijstraat Spinnerijstraat Mijnstraat Tramstraat
Spoorwegstraat Statiestraat Postweg Processieweg Kerkweg Kerkhofstraat Kruisstraat Driesstraat
Dries Plein Groenplaats Vismarkt Korenmarkt Ooststraat Weststraat Noordstraat Zuidstraat
Zonnestraat Zonnelaan Maanstraat Sterrenlaan Windmolenstraat Watermolenstraat Torenstraat
Poortstraat Galgenstraat Vossenstraat Vossenberg Hazenstraat Konijnenberg Reebokstraat Hertstraat
Paardenstraat Ossenstraat Schaapstraat Bijenstraat Boomgaardstraat Appelstraat Perenstraat
Kerselaarstraat Kersenlaan Pruimenstraat Druivenstraat Hopstraat Tarwestraat Gerststraat
Haverstraat Roggestraat Korenbloemstraat Papaverstraat Varenstraat Heideweg Bosweg Boslaan
Bosdreef Duinenweg Zeelaan Zeedijk Strandlaan Meerlaan Vijverstraat Vijverlaan Bronstraat
Fonteinstraat Putstraat Ganzenstraat Eendenstraat Hanestraat Kiekenstraat Lostraat Rodestraat
Wittestraat Zwartestraat Groeneweg Blauwstraat Eikelstraat Sleutelstraat Ridderstraat Gravenstraat
Gravin_Margaretastraat Burchtstraat Kardinaal_Mercierlaan Kardinaal_Cardijnstraat
Doctor_Haekstraat Burgemeesterstraat"""
_STREETS_FR: Final = """
Rue_de_l'Église|Rue_de_la_Station|Grand-Rue|Rue_du_Moulin|Rue_de_l'École|Rue_Haute|Rue_Basse
Rue_Neuve|Rue_du_Village|Rue_de_la_Gare|Place_Communale|Grand-Place|Rue_du_Château|Rue_des_Écoles
Rue_de_la_Chapelle|Rue_du_Centre|Rue_du_Bois|Rue_de_la_Fontaine|Rue_du_Pont|Rue_des_Champs
Rue_de_la_Paix|Rue_Albert_Ier|Rue_Royale|Rue_Léopold|Place_Albert_Ier|Place_de_l'Église
Rue_de_Bruxelles|Rue_de_Namur|Rue_de_Liège|Rue_de_Mons|Rue_de_Charleroi|Rue_de_Tournai
Rue_de_Huy|Rue_de_Dinant|Rue_d'Arlon|Rue_de_Bastogne|Rue_de_Nivelles|Rue_de_Wavre
Chaussée_de_Namur|Chaussée_de_Bruxelles|Chaussée_de_Charleroi|Chaussée_de_Mons|Chaussée_de_Liège
Chaussée_de_Louvain|Chaussée_de_Tournai|Chaussée_de_Nivelles|Chaussée_de_Dinant|Chaussée_Romaine
Avenue_des_Tilleuls|Avenue_des_Marronniers|Avenue_des_Chênes|Avenue_des_Hêtres|Avenue_des_Érables
Avenue_des_Acacias|Avenue_des_Bouleaux|Avenue_des_Platanes|Avenue_des_Peupliers|Avenue_des_Sapins
Avenue_des_Roses|Avenue_des_Lilas|Avenue_Albert_Ier|Avenue_Reine_Astrid|Avenue_Reine_Élisabeth
Avenue_Roi_Baudouin|Avenue_Léopold_II|Avenue_Louise-Marie|Avenue_de_la_Gare|Avenue_du_Parc
Avenue_du_Centenaire|Avenue_des_Combattants|Avenue_de_la_Libération|Avenue_de_la_Liberté
Avenue_de_l'Europe|Avenue_des_Nations|Avenue_du_Château|Avenue_de_la_Victoire|Avenue_Rogier
Boulevard_du_Nord|Boulevard_du_Midi|Boulevard_de_la_Sauvenière|Boulevard_de_l'Est|Boulevard_Tirou
Boulevard_Dolez|Boulevard_de_l'Ourthe|Boulevard_Initialis|Quai_de_la_Meuse|Quai_de_Sambre
Quai_de_l'Industrie|Quai_des_Pêcheurs|Rue_des_Combattants|Rue_des_Déportés|Rue_des_Alliés
Rue_du_Roi_Albert|Rue_de_la_Reine|Rue_du_Prince|Rue_de_la_Régence|Rue_du_Commerce
Rue_de_l'Industrie|Rue_des_Mineurs|Rue_du_Charbonnage|Rue_de_la_Houillère|Rue_des_Verriers
Rue_des_Forges|Rue_des_Carrières|Rue_de_la_Sablonnière|Rue_des_Tanneurs|Rue_des_Tisserands
Rue_des_Bouchers|Rue_du_Marché|Rue_des_Brasseurs|Rue_de_la_Brasserie|Rue_de_la_Ferme
Rue_du_Four|Rue_du_Puits|Rue_de_la_Source|Rue_du_Ruisseau|Rue_de_la_Meuse|Rue_de_Sambre
Rue_de_l'Escaut|Rue_de_la_Dyle|Rue_de_l'Ourthe|Rue_de_la_Vesdre|Rue_de_la_Semois|Rue_de_la_Lesse
Rue_du_Vieux_Moulin|Rue_du_Vieux_Pont|Rue_de_la_Haie|Rue_des_Haies|Rue_des_Prés|Rue_des_Prairies
Rue_des_Jardins|Rue_du_Jardinet|Rue_du_Parc|Rue_des_Vergers|Rue_des_Pommiers|Rue_des_Cerisiers
Rue_des_Noyers|Rue_du_Tilleul|Rue_du_Chêne|Rue_du_Sapin|Rue_des_Saules|Rue_des_Aubépines
Rue_des_Genêts|Rue_des_Bruyères|Rue_des_Fougères|Rue_des_Bleuets|Rue_des_Coquelicots
Rue_des_Violettes|Rue_des_Marguerites|Rue_des_Hirondelles|Rue_des_Mésanges|Rue_des_Pinsons
Rue_des_Alouettes|Rue_du_Rossignol|Rue_de_la_Colline|Rue_de_la_Montagne|Rue_du_Calvaire
Rue_de_la_Croix|Rue_du_Cimetière|Rue_de_l'Abbaye|Rue_du_Couvent|Rue_du_Presbytère|Rue_du_Curé
Rue_Saint-Jean|Rue_Saint-Pierre|Rue_Saint-Martin|Rue_Saint-Nicolas|Rue_Saint-Roch
Rue_Saint-Joseph|Rue_Sainte-Anne|Rue_Sainte-Barbe|Rue_Saint-Hubert|Rue_Notre-Dame
|Rue_Saint-Lambert|Rue_Saint-Remy|Rue_Saint-Donat|Rue_Saint-Laurent|Rue_Émile_Vandervelde
|Rue_Jules_Destrée|Rue_Jean_Jaurès|Rue_Ferrer|Rue_Joseph_Wauters|Rue_Zénobe_Gramme
|Rue_César_Franck|Rue_Grétry|Rue_Émile_Verhaeren|Rue_Maurice_Maeterlinck|Rue_Ernest_Solvay
|Rue_Georges_Simenon|Rue_Hergé|Place_du_Marché|Place_de_la_Gare|Place_Verte|Place_Saint-Lambert
|Place_du_Roi_Albert|Place_de_la_Station|Place_Reine_Astrid|Place_du_Monument
|Place_de_l'Hôtel_de_Ville|Place_des_Martyrs|Place_de_la_République|Chemin_des_Prés|Chemin_du_Bois
|Chemin_Vert|Chemin_du_Moulin|Chemin_de_la_Ferme|Chemin_des_Dames|Chemin_des_Vignes
|Ruelle_de_l'Église|Ruelle_du_Curé|Sentier_des_Écoliers|Clos_des_Cerisiers|Clos_du_Verger
|Clos_des_Pinsons|Clos_Fleuri|Clos_des_Lilas|Allée_des_Bouvreuils|Allée_des_Érables|Allée_du_Parc
|Drève_du_Château|Drève_des_Hêtres|Impasse_du_Moulin|Rue_du_Stade|Rue_des_Sports|Rue_du_Progrès
|Rue_de_la_Limite|Rue_de_la_Vallée|Rue_du_Coteau|Rue_du_Plateau|Rue_du_Beau_Site|Rue_Bel_Air
|Rue_du_Belvédère|Rue_du_Tram|Rue_du_Chemin_de_Fer|Rue_de_l'Hôpital|Rue_de_l'Hospice
|Rue_de_la_Poste|Rue_du_Casino|Rue_de_la_Résistance|Rue_de_l'Armistice|Rue_du_Onze_Novembre
|Rue_de_la_Victoire|Rue_des_Martyrs|Rue_du_Monument|Rue_de_la_Concorde|Rue_de_l'Union
|Rue_de_la_Coopérative|Rue_du_Peuple|Rue_de_la_Solidarité|Rue_des_Coteaux|Rue_des_Trois_Tilleuls
|Rue_des_Quatre_Vents|Rue_du_Lavoir|Rue_du_Tige|Rue_du_Fond|Rue_du_Try|Rue_de_la_Bruyère
|Rue_du_Marais|Rue_du_Sart|Rue_du_Culot|Rue_Grande|Rue_Petite|Rue_du_Faubourg|Rue_des_Remparts
|Rue_de_la_Tour|Rue_de_la_Porte|Rue_du_Canal|Rue_de_l'Écluse|Rue_du_Rivage|Rue_du_Port
|Rue_du_Gouvernement|Rue_du_Palais|Rue_de_l'Athénée|Rue_des_Augustins|Rue_des_Carmes
|Rue_des_Récollets|Rue_des_Dominicains|Rue_des_Ursulines"""
_STREETS_DE: Final = """
Hauptstraße Kirchstraße Bahnhofstraße Schulstraße Klosterstraße Neustraße Bergstraße Gartenstraße
Feldstraße Waldstraße Mühlenstraße Marktplatz Kirchplatz Dorfstraße Aachener_Straße Eupener_Straße
Malmedyer_Straße Monschauer_Straße Lütticher_Straße Luxemburger_Straße Vervierser_Straße
Bachstraße Wiesenstraße Wiesenweg Feldweg Waldweg Kirchweg Mühlenweg Schulweg Gartenweg Bergweg
Am_Berg Am_Bach Am_Markt Am_Kloster Am_Bahnhof Am_Hang Am_Wald Im_Tal Im_Winkel Auf_der_Höhe
Auf_dem_Spitzberg In_der_Au In_den_Wiesen Zur_Mühle Zum_Walkerstal Zur_Burg Oberstraße Unterstraße
Langesthal Kaperberg Gospertstraße Heidberg Simarstraße Haasstraße Werthplatz Bergkapellstraße
Hochstraße Rotenbergplatz Stockbergerweg Judenstraße Binsterweg Weserstraße Ourstraße Vennstraße
Hillstraße Lindenstraße Lindenallee Birkenweg Buchenweg Eichenweg Tannenweg Fichtenweg Ahornweg
Erlenweg Kastanienallee Kirschweg Apfelweg Rosenweg Tulpenweg Nelkenweg Lilienweg Amselweg
Finkenweg Drosselweg Meisenweg Lerchenweg Schwalbenweg Falkenweg Fuchsweg Hasenweg Rehweg
Hirschweg Dachsweg Industriestraße Gewerbestraße Handwerkerstraße Weberstraße Tuchmacherstraße
Gerberstraße Schmiedestraße Bäckergasse Klostergasse Kirchgasse Brunnenstraße Brunnenweg
Quellenweg Teichstraße Brückenstraße Talstraße Sonnenweg Sonnenhang Südstraße Nordstraße Oststraße
Weststraße Rathausplatz Rathausstraße Poststraße Friedhofstraße Kapellenstraße Kapellenweg
Kreuzweg Kreuzbergstraße Sankt-Vither-Straße Sankt-Josef-Straße Sankt-Nikolaus-Straße Marienstraße
Paulusstraße Petersstraße Martinstraße Herbesthaler_Straße Raerener_Straße Kettenis
Hergenrather_Weg Büllinger_Straße Bütgenbacher_Straße Prümer_Straße Major-Long-Straße
Ameler_Straße Schwarzer_Weg Königin-Astrid-Straße König-Albert-Straße Leopoldstraße Parkstraße
Parkweg Stadionstraße Sportweg Schönefelderweg Nispertstraße Hufengasse Steinweg Steinbruchstraße
Kalkofenstraße Ziegelweg Lehmweg Sandweg Kiesweg Roter_Weg Grüner_Weg Alte_Straße Neuer_Weg
Rainweg Hangweg Panoramaweg Eifelstraße Ardennenstraße Vennblick Bergblick Talblick Seestraße
Uferweg Wehrstraße Schleusenweg"""

_TRADES: Final = {
    "nl": """Bakkerij|Slagerij|Garage|Schrijnwerkerij|Dakwerken|Loodgieterij|Tuinaanleg
        |Schilderwerken|Elektro|Boekhoudkantoor|Apotheek|Kapsalon|Taverne|Bouwbedrijf|Transport
        |Immo|Verzekeringen|Optiek|Fietsen|Drukkerij|Bloemen|Interieur|Tandartspraktijk
        |Grondwerken|Vloeren""",
    "fr": """Boulangerie|Boucherie|Garage|Menuiserie|Toitures|Plomberie|Parcs et Jardins|Peinture
        |Électricité|Fiduciaire|Pharmacie|Salon de Coiffure|Brasserie|Entreprise|Transports
        |Immobilière|Assurances|Optique|Cycles|Imprimerie|Fleurs|Décors|Cabinet Dentaire
        |Terrassements|Carrelages""",
    "de": """Bäckerei|Metzgerei|Autohaus|Schreinerei|Dachdeckerei|Sanitär|Gartenbau|Malerbetrieb
        |Elektro|Steuerkanzlei|Apotheke|Friseursalon|Gasthaus|Bauunternehmen|Spedition|Immobilien
        |Versicherungen|Optik|Fahrräder|Druckerei|Blumen|Möbel|Zahnarztpraxis|Tiefbau|Fliesen""",
}
_FORMS: Final = {
    "nl": ("BV", "BV", "NV", "VOF"),
    "fr": ("SRL", "SRL", "SA", "SNC"),
    "de": ("GmbH", "GmbH", "AG", "OHG"),
}
# Contact centres: invented, one set for the country, as such firms serve all of it.
_CENTRE_NAMES: Final = """Zenobe Helvora Callidus Nestora Voxelle Amarant Dialora Brabocall Lumio
    Antwoordpunt Servoxa Contacto Meridiaan Telora Clarivox Respondo Sonavox Ardenline Scaldis
    Mosacall Lysvoice Fonteyne Polaris Vivoce"""
_CENTRE_KINDS: Final = ("Contact NV", "Customer Care NV", "Call Center SA", "Services BV")


def _words(text: str) -> list[str]:
    """Return the words of a hand-written list; `_` stands for a blank."""
    cleaned = text.replace("|", " ")
    return list(dict.fromkeys(word.replace("_", " ") for word in cleaned.split()))


def _by_rank(words: Iterable[str], start: int = 0, spread: int = 25) -> Weighted:
    """Weigh words by rank, 1 / (rank + spread): the shape of frequencies of family names."""
    return {word: 1_000_000 // (rank + spread) for rank, word in enumerate(words, start)}


def _weighted(source: Any, head: list[str]) -> Weighted:
    """Take Faker's counts where it has them; else the head by rank and the rest evenly rare."""
    if isinstance(source, dict) and max(source.values()) > 1:  # counts of people, not shares
        ordered = sorted(source.items(), key=lambda item: (-item[1], item[0]))
        return {word: int(count) for word, count in ordered[:MAX_NAMES]}
    # Some of Faker's words are broken (N˜zamett˜n).
    rest = [word for word in source if word not in set(head) and _CLEAN.fullmatch(word)]
    if not head:
        return _by_rank(dict.fromkeys(rest[:MAX_NAMES]), spread=200)
    return _by_rank(head) | dict.fromkeys(rest[: MAX_NAMES - len(head)], _RARE)


def _person_provider(culture: str) -> Any:
    return importlib.import_module(f"faker.providers.person.{_LOCALES[culture]}").Provider


def _first_names(culture: str) -> dict[str, Weighted]:
    provider = _person_provider(culture)
    lists = {"F": provider.first_names_female, "M": provider.first_names_male}
    heads = dict(zip(lists, _FIRST_HEADS.get(culture, ("", "")), strict=True))
    foreign = set(_words(_FOREIGN_IN_BELGIUM)) if culture in ("nl", "fr") else set()
    weighted = {sex: _weighted(names, _words(heads[sex])) for sex, names in lists.items()}
    return {
        sex: {word: count for word, count in words.items() if word not in foreign}
        for sex, words in weighted.items()
    }


def _last_names(culture: str) -> Weighted:
    provider = _person_provider(culture)
    head = _words(_HEADS.get(culture, ""))
    # Faker has medieval names for Dutch and gendered ones for Polish: only the heads are used.
    source: Any = () if culture in ("nld", "pl") else provider.last_names
    if culture == "en":
        source = tuple(sorted(source))
    foreign = set(_words(_FOREIGN_IN_BELGIUM)) if culture in ("nl", "fr") else set()
    return {w: c for w, c in _weighted(source, head).items() if w not in foreign}


def _companies(language: str, last_names: Weighted) -> Weighted:
    """Combine trades with family names; every third firm is only the family's."""
    trades = [" ".join(trade.split()) for trade in _TRADES[language].split("|")]
    forms = _FORMS[language]
    sons = {"nl": "& Zonen", "fr": "& Fils", "de": "& Söhne"}[language]
    names = []
    for number, last in enumerate(list(last_names)[:400]):
        trade, form = trades[number % len(trades)], forms[number % len(forms)]
        names.append(f"{last} {sons} {form}" if number % 5 == 4 else f"{trade} {last} {form}")
    return _by_rank(names, spread=100)


def build() -> dict[str, Any]:
    """Return the whole vocabulary: words with integer weights, by list and culture."""
    first = {culture: _first_names(culture) for culture in _LOCALES}
    last = {culture: _last_names(culture) for culture in _LOCALES}
    first["ma"] = {sex: _by_rank(_words(_MOROCCAN[sex]), spread=10) for sex in ("F", "M")}
    last["ma"] = _by_rank(_words(_MOROCCAN["last"]), spread=10)
    companies = {language: _companies(language, last[language]) for language in _TRADES}
    centres = [f"{name} {kind}" for kind in _CENTRE_KINDS for name in _words(_CENTRE_NAMES)]
    streets_fr = [street for line in _STREETS_FR.split() for street in line.split("|")]
    return {
        "generations": {"old": _words(_OLD), "middle": _words(_MIDDLE), "young": _words(_YOUNG)},
        "first_names": first,
        "last_names": last,
        "companies": companies,
        "contact_centres": _by_rank(centres, spread=100),
        "streets": {
            "nl": _by_rank(_words(_STREETS_NL)),
            "fr": _by_rank(_words(" ".join(streets_fr))),
            "de": _by_rank(_words(_STREETS_DE)),
        },
    }


def main() -> None:
    """Write the vocabulary beside this module."""
    text = json.dumps(build(), ensure_ascii=False, indent=0, separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
