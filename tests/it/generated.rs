//! A made-up year of any size, the same on every machine: four tiers, a hierarchy of three layers with overrides, a volume bonus, a
//! spiff and co-op, about four lines an invoice.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

use crate::seeded::Seeded;

/// The files of a generated year in the order in which they are imported: kind and name.
pub(crate) const FILES: [(&str, &str); 4] =
    [("partners", "partners.csv"), ("customers", "customers.csv"), ("deals", "deals.csv"), ("invoices", "invoices.csv")];

/// Invoices are paid from 2025-01 through 2025-12.
pub(crate) const PROGRAMME: &str = r#"
[program]
id = "year"
name = "A generated year"
currency = "USD"
timezone = "America/New_York"

[[tiers]]
id = "bronze"
name = "Bronze"
threshold = "0"
rate = "5%"

[[tiers]]
id = "silver"
name = "Silver"
threshold = "100k"
rate = "8%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"

[[tiers]]
id = "platinum"
name = "Platinum"
threshold = "1M"
rate = "15%"
coop_rate = "2%"

[[rules]]
id = "volume"
kind = "volume_bonus"
rate = "1%"
when = "monthly_referred_revenue > 90k"

[[rules]]
id = "new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 40k"

[hierarchy]
mode = "override"
levels = ["3%", "1%", "0.5%"]

[settlement]
first_period = "2025-01"
minimum_payout = "50.00"
"#;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) partners: u64,
    pub(crate) invoices: u64,
}

/// Writes `program.toml` and the files of [`FILES`].
pub(crate) fn write(size: Size, directory: &Path) -> Result<()> {
    std::fs::write(directory.join("program.toml"), PROGRAMME)?;
    let mut random = Seeded::new(size.partners ^ size.invoices.rotate_left(20));
    partners(size, &mut file(directory, "partners.csv")?)?;
    let deals = size.invoices / 10 + size.partners;
    customers(deals, &mut file(directory, "customers.csv")?)?;
    self::deals(size, deals, &mut random, &mut file(directory, "deals.csv")?)?;
    invoices(size, deals, &mut random, &mut file(directory, "invoices.csv")?)
}

fn file(directory: &Path, name: &str) -> Result<BufWriter<File>> {
    File::create(directory.join(name)).map(BufWriter::new)
}

/// One partner in fifty is a distributor, about one in nine a sub-distributor below one; the rest are resellers.
fn partners(size: Size, out: &mut impl Write) -> Result<()> {
    let distributors = size.partners / 50 + 1;
    let below = distributors + size.partners / 9 + 1;
    writeln!(out, "id,name,program,tier,tier_since,parent")?;
    for number in 0..size.partners {
        let tier =
            ["bronze", "silver", "gold", "platinum"][usize::from(number % 10 > 3) + usize::from(number % 10 > 6) + usize::from(number % 10 > 8)];
        let parent = if number < distributors {
            String::new()
        } else if number < below {
            partner(number % distributors)
        } else {
            partner(distributors + number % (below - distributors))
        };
        writeln!(out, "{},Partner {number},year,{tier},2020-01-01,{parent}", partner(number))?;
    }
    out.flush()
}

fn partner(number: u64) -> String {
    format!("p{number:06}")
}

fn customers(deals: u64, out: &mut impl Write) -> Result<()> {
    writeln!(out, "id,name")?;
    for number in 0..deals {
        writeln!(out, "c{number:07},Customer {number}")?;
    }
    out.flush()
}

/// Every partner has a deal; the others fall where they fall.
fn deals(size: Size, deals: u64, random: &mut Seeded, out: &mut impl Write) -> Result<()> {
    writeln!(out, "id,customer,partner,contract_value,currency,signed_on,new_logo")?;
    for number in 0..deals {
        let of = if number < size.partners { number } else { random.between(0, size.partners - 1) };
        let (value, signed_on) = (random.between(10_000, 200_000), random.between(1, 12));
        let new_logo = random.chance(40);
        writeln!(out, "d{number:07},c{number:07},{},{value}.00,USD,2024-{signed_on:02}-15,{new_logo}", partner(of))?;
    }
    out.flush()
}

/// In the order of their payment, evenly over the year.
fn invoices(size: Size, deals: u64, random: &mut Seeded, out: &mut impl Write) -> Result<()> {
    writeln!(out, "id,customer,deal,currency,subtotal,paid_at")?;
    for number in 0..size.invoices {
        let deal = random.between(0, deals - 1);
        let (units, cents) = (random.between(100, 20_000), random.between(0, 99));
        let day = number * 336 / size.invoices;
        let (month, day, hour) = (day / 28 + 1, day % 28 + 1, random.between(0, 23));
        writeln!(out, "i{number:08},c{deal:07},d{deal:07},USD,{units}.{cents:02},2025-{month:02}-{day:02}T{hour:02}:30:00Z")?;
    }
    out.flush()
}
