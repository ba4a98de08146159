package sample

import "fmt"

// country is where a customer lives: how people there are called, and where and
// by which numbers they are found. None of the people exist.
type country struct {
	country string // ISO 3166-1 alpha-2
	locale  string
	calling string // the calling code, without +

	women, men       []string
	mothers, fathers []string // surnames of women and of men, in pairs
	daughters, sons  []string // middle names that come from the father's, in pairs; may be none
	streets          []string
	towns            []town
	companies, jobs  []string
	notes            []string
	number           func(dice) string // a national number
}

type town struct{ name, postcode, state string }

type name struct{ first, middle, last string }

func (c *country) name(d dice, female bool) name {
	first, last, middle := c.men, c.fathers, c.sons
	if female {
		first, last, middle = c.women, c.mothers, c.daughters
	}
	n := name{first: pick(d, first), last: pick(d, last)}
	if len(middle) > 0 {
		n.middle = pick(d, middle)
	}
	return n
}

var america = country{
	country: "US", locale: "en-US", calling: "1",
	women: []string{"Alice", "Brenda", "Chloe", "Dana", "Mary Ann", "Naomi", "Renée", "Tess"}, men: []string{"Adam", "Brian", "Carl", "Derek", "Earl", "Mason", "Owen", "Scott"},
	mothers: englishNames, fathers: englishNames,
	streets:   []string{"1st Street", "Elm Street", "Lakeview Drive", "Maple Avenue", "Sunset Boulevard"},
	towns:     []town{{"Denver", "80202", "CO"}, {"Austin", "73301", "TX"}, {"Portland", "97201", "OR"}, {"Boston", "02108-1234", "MA"}},
	companies: []string{"Bluebird Supplies Inc.", "Fictional Foods LLC", "O'Nobody & Sons"}, jobs: []string{"buyer", "office manager", "owner"},
	notes: []string{"prefers to be called after 5 pm", "asks for an invoice", "said: \"leave it with the neighbour\"", "allergic to nuts"},
	// 555-0100 to 555-0199 are kept for fiction in every area.
	number: func(d dice) string {
		return pick(d, []string{"303", "512", "503", "617"}) + fmt.Sprintf("55501%02d", d.IntN(100))
	},
}

var britain = country{
	country: "GB", locale: "en-GB", calling: "44",
	women: []string{"Amelia", "Beth", "Freya", "Imogen", "Poppy"}, men: []string{"Alfie", "Callum", "Giles", "Rhys", "Stuart"},
	mothers: englishNames, fathers: englishNames,
	streets:   []string{"Church Lane", "High Street", "Mill Road", "Station Road"},
	towns:     []town{{"London", "SW1A 1AA", ""}, {"Leeds", "LS1 1UR", ""}, {"Cardiff", "CF10 1EP", ""}},
	companies: []string{"Imaginary Teas Ltd", "Nowhere Books Ltd"}, jobs: []string{"buyer", "director", "shop manager"},
	notes: []string{"collects in person", "knows the owner"},
	// The regulator keeps 07700 900000 to 900999 for drama.
	number: func(d dice) string { return fmt.Sprintf("7700900%03d", d.IntN(1000)) },
}

var englishNames = []string{"Ashgrove", "Bellweather", "Crowhurst", "Dunmore", "Fairbairn", "Hollins", "Marlowe-Smith", "Norwood", "O'Fallon", "Pennywell", "Quill", "Thistle"}

var germany = country{
	country: "DE", locale: "de-DE", calling: "49",
	women: []string{"Anneliese", "Gülay", "Jördis", "Käthe", "Ulrike"}, men: []string{"Björn", "Detlef", "Jörg", "Karl-Heinz", "Matthäus"},
	mothers: germanNames, fathers: germanNames,
	streets:   []string{"Ahornweg", "Goethestraße", "Große Gasse", "Lindenallee", "Schloßplatz"},
	towns:     []town{{"Berlin", "10115", ""}, {"Köln", "50667", ""}, {"München", "80331", ""}, {"Görlitz", "02826", ""}},
	companies: []string{"Erfundene Möbel GmbH", "Niemand & Söhne KG"}, jobs: []string{"Einkäufer", "Geschäftsführerin", "Inhaber"},
	notes: []string{"möchte keine Werbung", "Rechnung an die Firma", "Stammkundin seit Jahren"},
	// The regulator keeps 030 23125 000 to 999 and 0171 39200 00 to 99 for drama.
	number: func(d dice) string {
		if d.chance(0.5) {
			return fmt.Sprintf("3023125%03d", d.IntN(1000))
		}
		return fmt.Sprintf("17139200%02d", d.IntN(100))
	},
}

var germanNames = []string{"Apfelbaum", "Groß", "Hörnchen", "Löwenzahn", "Müßig", "Ohnesorg", "Tannenwald", "Überreiter", "von Irgendwo"}

var poland = country{
	country: "PL", locale: "pl-PL", calling: "48",
	women: []string{"Agnieszka", "Bożena", "Łucja", "Małgorzata", "Żaneta", "Świętosława", "Zofia"}, men: []string{"Błażej", "Jan", "Łukasz", "Michał", "Paweł", "Władysław", "Zdzisław"},
	mothers:   []string{"Brzęczyk", "Dąbrówkowska", "Gęsia", "Łąkowa", "Miodońska", "Śliwińska-Żuk", "Źródlana"},
	fathers:   []string{"Brzęczyk", "Dąbrówkowski", "Gęsi", "Łąkowy", "Miodoński", "Śliwiński-Żuk", "Źródlany"},
	streets:   []string{"Aleje Jerozolimskie", "Długa", "Krótka", "Święty Marcin", "Żółta"},
	towns:     []town{{"Warszawa", "00-001", ""}, {"Łódź", "90-001", ""}, {"Kraków", "30-001", ""}, {"Gdańsk", "80-001", ""}},
	companies: []string{"Zmyślone Meble sp. z o.o.", "Nikt i Spółka"}, jobs: []string{"kierownik", "księgowa", "właściciel"},
	notes: []string{"dzwonić po 17", "prosi o fakturę", "stała klientka", "nie lubi e-maili"},
	// Poland keeps no range for fiction; no network was given numbers that begin with 40.
	number: func(d dice) string { return fmt.Sprintf("405550%03d", 100+d.IntN(100)) },
}

var ukraine = country{
	country: "UA", locale: "uk-UA", calling: "380",
	women: []string{"Ганна", "Ґалина", "Євгенія", "Їва", "Оксана", "Соломія"}, men: []string{"Андрій", "Богдан", "Євген", "Олексій", "Тарас"},
	mothers:   []string{"Вигаданська", "Гречкосій", "Журавлик", "Калиновська", "Їжакевич", "Пташинська"},
	fathers:   []string{"Вигаданський", "Гречкосій", "Журавлик", "Калиновський", "Їжакевич", "Пташинський"},
	daughters: []string{"Андріївна", "Богданівна", "Ігорівна"}, sons: []string{"Андрійович", "Богданович", "Ігорович"},
	streets:   []string{"вул. Садова", "вул. Хрещатик", "просп. Миру", "вул. Під'їзна"},
	towns:     []town{{"Київ", "01001", ""}, {"Львів", "79000", ""}, {"Одеса", "65000", ""}, {"Кам'янець-Подільський", "32300", ""}},
	companies: []string{"ТОВ «Вигадка»", "ФОП Ніхто"}, jobs: []string{"бухгалтерка", "власник", "менеджер"},
	notes: []string{"передзвонити ввечері", "постійна клієнтка", "просить рахунок"},
	// Ukraine keeps no range for fiction; 40 is no code of a place or a network.
	number: func(d dice) string { return fmt.Sprintf("4055501%02d", d.IntN(100)) },
}

var russia = country{
	country: "RU", locale: "ru-RU", calling: "7",
	women: []string{"Алёна", "Екатерина", "Любовь", "Надежда", "Юлия"}, men: []string{"Артём", "Григорий", "Пётр", "Семён", "Юрий"},
	mothers:   []string{"Выдумкина", "Ёлкина", "Небывалова", "Подъячева", "Скворцова-Щукина", "Шишкина"},
	fathers:   []string{"Выдумкин", "Ёлкин", "Небывалов", "Подъячев", "Скворцов-Щукин", "Шишкин"},
	daughters: []string{"Артёмовна", "Петровна", "Семёновна"}, sons: []string{"Артёмович", "Петрович", "Семёнович"},
	streets:   []string{"ул. Садовая", "ул. Лесная", "пр-т Мира", "наб. Тихая"},
	towns:     []town{{"Москва", "101000", ""}, {"Казань", "420000", ""}, {"Орёл", "302000", ""}},
	companies: []string{"ООО «Выдумка»", "ИП Никто"}, jobs: []string{"бухгалтер", "владелец", "менеджер"},
	notes: []string{"очень требовательный", "перезвонить вечером", "просит счёт"},
	// Russia keeps no range for fiction; codes that begin with 5 are not given out.
	number: func(d dice) string { return fmt.Sprintf("55555501%02d", d.IntN(100)) },
}
