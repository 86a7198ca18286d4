"""Units of measure by their symbols and names: which are the same, and which turn into one another by an exact factor."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from searchinstruct_graph.text.words import normal_form


class Unit(NamedTuple):
    """A unit: `factor` of the dimension's base unit."""

    name: str
    dimension: str
    factor: Fraction


PERCENT = Unit("%", "", Fraction(1, 100))

# dimension | factor | symbols, case kept | names, in any case. Pounds are weights: the currency is written with £.
_TABLE = """
| 1/100 | % | percent percents per_cent pct percentage percentage_points prozent pour_cent por_ciento درصد بالمئة في_المئة بالمائة
length | 1 | m | metre metres meter meters mètre mètres metro metros متر أمتار 米 公尺
length | 1000 | km | kilometre kilometres kilometer kilometers kilomètre kilomètres kilómetro kilómetros kms کیلومتر کم 公里 千米
length | 1/100 | cm | centimetre centimetres centimeter centimeters zentimeter سانتیمتر سانتی_متر سم 厘米
length | 1/1000 | mm | millimetre millimetres millimeter millimeters میلیمتر میلی_متر مم 毫米
length | 1/1000000 | µm μm | micrometre micrometres micrometer micrometers micron microns
length | 1/1000000000 | nm | nanometre nanometres nanometer nanometers
length | 1609344/1000 | mi | mile miles مایل میل
length | 9144/10000 | yd | yard yards yds
length | 3048/10000 | ft | foot feet
length | 254/10000 | in | inch inches
area | 1 | m^2 m^{2} | square_metre square_metres square_meter square_meters sq_m sqm متر_مربع 平方米
area | 1000000 | km^2 km^{2} | square_kilometre square_kilometres square_kilometer square_kilometers sq_km کیلومتر_مربع 平方公里
area | 1/10000 | cm^2 cm^{2} | square_centimetre square_centimetres square_centimeter square_centimeters sq_cm 平方厘米
area | 10000 | ha | hectare hectares هکتار هكتار
area | 40468564224/10000000 | | acre acres
area | 9290304/100000000 | ft^2 ft^{2} | square_foot square_feet sq_ft
area | 64516/100000000 | in^2 in^{2} | square_inch square_inches sq_in
area | 2589988110336/1000000 | mi^2 mi^{2} | square_mile square_miles sq_mi
volume | 1 | l L | litre litres liter liters لیتر لتر 升
volume | 1/1000 | ml mL cm^3 cm^{3} cc | millilitre millilitres milliliter milliliters میلی_لیتر 毫升
volume | 1/1000 | ml | cubic_centimetre cubic_centimetres cubic_centimeter cubic_centimeters
volume | 1000 | m^3 m^{3} | cubic_metre cubic_metres cubic_meter cubic_meters متر_مکعب 立方米
volume | 28316846592/1000000000 | ft^3 ft^{3} | cubic_foot cubic_feet
volume | 3785411784/1000000000 | gal | gallon gallons
volume | 946352946/1000000000 | qt | quart quarts
volume | 473176473/1000000000 | pt | pint pints
mass | 1 | kg | kilogram kilograms kilogramme kilogrammes kilo kilos kgs کیلوگرم کیلو كيلوغرام 公斤 千克
mass | 1/1000 | g | gram grams gramme grammes گرم غرام 克
mass | 1/1000000 | mg | milligram milligrams میلی_گرم 毫克
mass | 1000 | t | tonne tonnes metric_ton metric_tons تن 吨
mass | 45359237/100000000 | lb lbs | pound pounds
mass | 45359237/1600000000 | oz | ounce ounces
time | 1 | s | second seconds sec secs sekunde sekunden seconde secondes segundo segundos ثانیه ثانية 秒
time | 1/1000 | ms | millisecond milliseconds
time | 60 | min | minute minutes mins minuten minuto minutos دقیقه دقيقة 分钟
time | 3600 | h | hour hours hr hrs stunde stunden heure heures hora horas ساعت ساعة 小时
time | 86400 | d | day days tag tage jour jours día días روز يوم أيام 天
time | 604800 | | week weeks هفته أسبوع 周
months | 1 | | month months monat monate mois mes meses ماه شهر 个月
months | 12 | | year years yr yrs jahr jahre an ans année années año años سال سنة سنوات 年
speed | 1 | m/s | metres_per_second meters_per_second metre_per_second meter_per_second
speed | 1000/3600 | km/h kph kmh | kilometres_per_hour kilometers_per_hour km_per_hour کیلومتر_بر_ساعت 公里/小时
speed | 1609344/3600000 | mph mi/h | miles_per_hour mile_per_hour miles/hour miles_an_hour
celsius | 1 | °C | degrees_celsius degree_celsius degrees_centigrade celsius درجه_سانتیگراد 摄氏度
fahrenheit | 1 | °F | degrees_fahrenheit degree_fahrenheit fahrenheit
kelvin | 1 | K | kelvin kelvins
angle | 1 | ° | degree degrees grad درجه درجة 度
energy | 1 | J | joule joules
energy | 1000 | kJ | kilojoule kilojoules
energy | 4184/1000 | cal | calorie calories
energy | 4184 | kcal | kilocalorie kilocalories
energy | 3600000 | kWh | kilowatt-hour kilowatt-hours kilowatt_hours
power | 1 | W | watt watts
power | 1000 | kW | kilowatt kilowatts
pressure | 1 | Pa | pascal pascals
pressure | 1000 | kPa | kilopascal kilopascals
voltage | 1 | V | volt volts
current | 1 | A | ampere amperes amp amps
frequency | 1 | Hz | hertz
force | 1 | N | newton newtons
data | 8 | B | byte bytes
data | 8000 | kB KB | kilobyte kilobytes
data | 8000000 | MB | megabyte megabytes
data | 8000000000 | GB | gigabyte gigabytes
data | 8000000000000 | TB | terabyte terabytes
data | 1 | bit | bits
usd | 1 | $ US$ USD | dollar dollars us_dollars usd bucks دلار دولار 美元
usd | 1/100 | ¢ | cent cents
eur | 1 | € EUR | euro euros eur یورو يورو 欧元
gbp | 1 | £ GBP | gbp pounds_sterling
jpy | 1 | ¥ JPY | yen jpy 日元
cny | 1 | CNY RMB | yuan rmb cny 元 人民币
inr | 1 | ₹ INR Rs | rupee rupees inr
rub | 1 | ₽ RUB | ruble rubles rouble roubles
krw | 1 | ₩ KRW | won
irr | 1 | IRR | rial rials ریال
irr | 10 | IRT | toman tomans تومان
"""

SCALES = {
    normal_form(name): Fraction(factor)
    for factor, names in (
        (12, "dozen"),
        (100, "hundred"),
        (1_000, "thousand mil mille tausend هزار ألف آلاف 千"),
        (10_000, "万 萬"),
        (10**6, "million millions mn millionen millón millones میلیون مليون ملايين 百万"),
        (10**8, "亿 億"),
        (10**9, "billion billions bn milliard milliards milliarden میلیارد مليار مليارات"),
        (10**12, "trillion trillions"),
    )
    for name in names.split()
}
"""Words behind a number that multiply it."""


def _tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    symbols: dict[str, Unit] = {}
    names: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        dimension, factor, signs, words = (part.strip() for part in line.split("|"))
        known = [word.replace("_", " ") for word in words.split()]
        unit = Unit((signs.split() or known)[0], dimension, Fraction(factor))
        symbols.update(dict.fromkeys(signs.split(), unit))
        names.update(dict.fromkeys(map(normal_form, known), unit))
    return symbols, names


_SYMBOLS, _NAMES = _tables()
_WORDS = max(name.count(" ") for name in _NAMES) + 1
_SHORT = frozenset(symbol for symbol in _SYMBOLS if len(symbol) == 1 and symbol.isalpha()) | {"in", "an"}
BEFORE = tuple(
    sorted(
        (s for s in _SYMBOLS if s[-1] in "$€£¥₹₽₩" or (len(s) == 3 and s.isupper()) or s == "Rs"), key=len, reverse=True
    )
)
"""Currency signs and codes, which stand before their number, longest first."""


def leading_unit(text: str) -> tuple[Unit, str] | None:
    """The unit that plain `text` begins with, and what follows; None when its first words name none.

    One-letter symbols and words that are also something else (`in`) count only where nothing but `per ...`, a further
    amount or the end follows: "5 in total" has no inches.
    """
    text = text.strip()
    if text[:1] in "%$€£¥₹₽₩¢" and text:
        return _SYMBOLS[text[0]], text[1:].strip()
    pieces = text.split(" ")
    for count in range(min(_WORDS, len(pieces)), 0, -1):
        name = " ".join(pieces[:count]).rstrip(".,;").replace(". ", " ")
        unit = _SYMBOLS.get(name) or _NAMES.get(normal_form(name))
        if unit is None:
            continue
        rest = " ".join(pieces[count:])
        if name in _SHORT and rest and not (rest[0].isdigit() or rest.startswith(("per ", "/"))):
            return None
        return unit, rest
    return None
