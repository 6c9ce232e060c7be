//! Whatever way a full refund is split, every payee, ancestor and wallet is back at exactly nothing.
//!
//! Each history is an invoice with some items and shared credits, and refunds in random parts until nothing is left: of one item or of
//! none, of every kind, over several months, recorded before or after the periods they fall in are final.

use crate::app::{App, Engine};
use crate::seeded::Seeded;

const TIERS: &str = r#"
[program]
id = "p"
name = "Refunded"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "7.77%"
coop_rate = "1.3%"

[[rules]]
id = "spiff"
kind = "spiff"
rate = "3.1%"

[[rules]]
id = "flat"
kind = "spiff"
amount = "33.33"

[[rules]]
id = "volume"
kind = "volume_bonus"
rate = "1.9%"
when = "monthly_referred_revenue > 1"

[settlement]
first_period = "2026-04"
net_processing_cost = true
"#;

/// Ways in which ancestors and wallets are paid; each must mirror to nothing.
const SHAPES: [&str; 4] = [
    "[hierarchy]\nmode = \"override\"\nlevels = [\"3.3%\", \"1.1%\"]",
    "[hierarchy]\nmode = \"override\"\nlevels = [\"3.3%\", \"1.1%\"]\npaid_by = \"child\"\n[coop]\nfunded_by = \"commission\"",
    "[hierarchy]\nmode = \"share\"\nlevels = [\"11.1%\", \"5.5%\"]\nshare_spiffs = true",
    "[hierarchy]\nmode = \"override\"\nlevels = [\"3.3%\", \"1.1%\"]\nmax_total_rate = \"14.9%\"",
];

const PARTNERS: &str = "
    id,name,program,tier,tier_since,parent
    top,Top,p,base,2026-01-01,
    mid,Mid,p,base,2026-01-01,top
    a,A,p,base,2026-01-01,mid
    b,B,p,base,2026-01-01,top";

/// The rows of some histories, one invoice each.
#[derive(Default)]
struct Histories {
    deals: Vec<String>,
    invoices: Vec<String>,
    items: Vec<String>,
    credits: Vec<String>,
    /// Refunds with the month (4 to 8) in which they become known.
    refunds: Vec<(u64, String)>,
}

impl Histories {
    fn draw(random: &mut Seeded, count: usize) -> Self {
        let mut all = Self::default();
        for number in 0..count {
            all.draw_one(random, number);
        }
        all
    }

    fn draw_one(&mut self, random: &mut Seeded, number: usize) {
        let amounts: Vec<u64> = (0..random.between(1, 4)).map(|_| random.between(1, 999_999)).collect();
        let subtotal: u64 = amounts.iter().sum();
        let cost = random.between(0, 500);
        self.deals.push(format!("D{number},c1,{},USD,2026-04-01,true", money(random.between(1, 2 * subtotal))));
        self.invoices.push(format!("I{number},c1,D{number},USD,{},{},2026-04-{:02}T09:00:00Z", money(subtotal), money(cost), random.between(1, 28)));
        let has_items = amounts.len() > 1 || random.chance(30);
        if has_items {
            for (item, amount) in amounts.iter().enumerate() {
                self.items.push(format!("I{number},{item},{}", money(*amount)));
            }
        }
        let share = random.between(1, 999);
        self.credits.push(format!("A{number},a,sourced,0.{share:03},I{number}"));
        if random.chance(60) {
            self.credits.push(format!("B{number},b,sourced,0.{:03},I{number}", 1000 - share));
        }
        self.split(random, number, if has_items { amounts } else { vec![subtotal] }, has_items);
    }

    /// Refunds until nothing is left; `left` is followed as the domain rules spread a refund, so that no named item is overdrawn.
    fn split(&mut self, random: &mut Seeded, number: usize, mut left: Vec<u64>, has_items: bool) {
        let parts = random.between(1, 5);
        // Refunds of an invoice that come a month late come late together: what is booked first is spread first.
        let late = u64::from(random.chance(30));
        for part in 0..=parts {
            let total: u64 = left.iter().sum();
            if total == 0 {
                break;
            }
            let named = (part < parts && has_items && random.chance(50)).then(|| random.index(left.len())).filter(|item| left[*item] > 0);
            let open = named.map_or(total, |item| left[item]);
            let amount = if part == parts { open } else { random.between(1, open) };
            match named {
                Some(item) => left[item] -= amount,
                None => spread(&mut left, amount),
            }
            let month = 4 + part * 3 / parts.max(1);
            let kind = random.pick(&["refund", "credit_note", "chargeback"]);
            let item = named.map_or(String::new(), |item| item.to_string());
            // Later parts have later instants: the order in which they are spread is the order in which they were drawn.
            let row = format!("R{number}-{part},I{number},{item},{},2026-{month:02}-29T10:{part:02}:00Z,{kind},true", money(amount));
            self.refunds.push((month + late, row));
        }
    }
}

/// Takes a refund from all items in proportion to what is left, largest remainder first, ties by item.
fn spread(left: &mut [u64], amount: u64) {
    let total: u64 = left.iter().sum();
    let exact: Vec<u64> = left.iter().map(|open| open * amount).collect();
    let mut taken: Vec<u64> = exact.iter().map(|product| product / total).collect();
    let mut order: Vec<usize> = (0..left.len()).collect();
    order.sort_by_key(|item| (u64::MAX - exact[*item] % total, *item));
    let missing = amount - taken.iter().sum::<u64>();
    for item in order.into_iter().take(usize::try_from(missing).expect("fewer cents than items")) {
        taken[item] += 1;
    }
    for (open, taken) in left.iter_mut().zip(taken) {
        *open -= taken;
    }
}

fn money(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// Settles month by month, each after what became known in it.
fn settle(app: &App, histories: &Histories) {
    for month in 4..=8 {
        let known: Vec<&str> = histories.refunds.iter().filter(|(known_in, _)| *known_in == month).map(|(_, row)| row.as_str()).collect();
        if !known.is_empty() {
            app.import("refunds", &format!("id,invoice,item,amount,refunded_at,kind,cost_returned\n{}", known.join("\n")));
        }
        app.settle("p", &format!("2026-{month:02}"));
    }
}

fn assert_nothing_is_left(app: &App, histories: usize) {
    let books = app.access();
    let earned = books.number("SELECT COUNT(*) FROM commission_lines WHERE source = 'invoice' AND amount_minor <> 0");
    assert!(earned > i64::try_from(histories).expect("a count fits") * 5, "only {earned} lines were there to be reversed");
    let left = books.texts(
        "SELECT payee || ' ' || invoice || '/' || item || ' ' || component || ' ' || rule || ' ' || CAST(SUM(amount_minor) AS TEXT)
           FROM commission_lines GROUP BY payee, invoice, item, component, rule HAVING SUM(amount_minor) <> 0",
    );
    assert!(left.is_empty(), "left of fully refunded invoices:\n{}", left.join("\n"));
    let wallets = books.texts("SELECT partner || ' ' || CAST(balance_minor AS TEXT) FROM wallets WHERE balance_minor <> 0");
    assert!(wallets.is_empty(), "left in wallets: {wallets:?}");
    let accounts = books.texts(
        "SELECT account || ' ' || CAST(SUM(amount_minor) AS TEXT) FROM postings WHERE account LIKE 'expense:%' OR account LIKE '%:coop'
          GROUP BY account HAVING SUM(amount_minor) <> 0",
    );
    assert!(accounts.is_empty(), "left in the ledger: {accounts:?}");
}

fn full_refunds_return_everything(engine: Engine, histories_of_a_shape: usize) {
    for (index, shape) in SHAPES.iter().enumerate() {
        let mut random = Seeded::new(u64::try_from(index).expect("an index fits") + 2026);
        let histories = Histories::draw(&mut random, histories_of_a_shape);
        App::prove(engine, |app| {
            app.apply(&format!("{TIERS}{shape}"));
            app.import("partners", PARTNERS);
            app.import("customers", "id,name\nc1,Customer");
            app.import("deals", &format!("id,customer,contract_value,currency,signed_on,new_logo\n{}", histories.deals.join("\n")));
            app.import("invoices", &format!("id,customer,deal,currency,subtotal,processing_cost,paid_at\n{}", histories.invoices.join("\n")));
            app.import("invoice_items", &format!("invoice,item,amount\n{}", histories.items.join("\n")));
            app.import("credits", &format!("id,partner,role,share,invoice\n{}", histories.credits.join("\n")));
            settle(app, &histories);
            assert_nothing_is_left(app, histories_of_a_shape);
        });
    }
}

#[test]
fn sixty_four_histories_return_to_nothing_on_sqlite() {
    full_refunds_return_everything(Engine::Sqlite, 16);
}

#[test]
fn sixteen_histories_return_to_nothing_on_postgres() {
    full_refunds_return_everything(Engine::Postgres, 4);
}
