//! A small world in which every report has something to tell.

use crate::app::App;

const PROGRAMME: &str = r#"
[program]
id = "reseller"
name = "Reseller programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "bronze"
name = "Bronze"
threshold = "0"
rate = "5%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"
certifications = { "sales" = 1 }

[metrics]
csat = "number"

[roles.helper]
tier_rate = false

[[rates]]
id = "oem"
rate = "4%"
when = 'motion == "oem"'

[[rates]]
id = "help"
rate = "1%"
role = "helper"

[[rules]]
id = "new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 100k"
from = 2026-04-01
through = 2026-06-30

[[rules]]
id = "happy"
kind = "spiff"
rate = "1%"
when = "csat >= 4"
window_on = "paid_on"

[[rules]]
id = "first"
kind = "spiff"
amount = "50.00"
window_on = "paid_on"

[[rules]]
id = "big-month"
kind = "volume_bonus"
rate = "1%"
when = "monthly_referred_revenue >= 150k"

[[rankings]]
id = "best"
top = "10%"
rate = "1%"
from = 2026-01-01

[hierarchy]
levels = ["2%"]
max_total_rate = "20%"

[coop]
expires_after_months = 2

[settlement]
first_period = "2026-04"
minimum_payout = "50.00"
"#;

/// acme (gold, under top) earns on a new-logo deal of 150,000.00; beta is bronze; both invoices of April and May are settled.
pub(crate) fn settled(app: &App) {
    recorded(app);
    app.settle("reseller", "2026-05");
}

/// The same before anything is settled.
pub(crate) fn recorded(app: &App) {
    app.apply(PROGRAMME);
    app.import(
        "partners",
        "id,name,program,tier,tier_since,parent
         top,Top,reseller,bronze,2026-01-01,
         acme,Acme Ltd,reseller,gold,2026-01-01,top
         beta,=Beta,reseller,gold,2026-01-01,",
    );
    app.import(
        "certifications",
        "id,partner,certification,holder,issued_on,expires_on\nC1,acme,sales,ann,2026-01-01,2027-01-01\nC2,beta,sales,bob,2025-01-01,2026-03-01",
    );
    app.import("customers", "id,name\nc1,Customer One");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD-1,c1,acme,150000.00,USD,2026-04-10,true");
    app.import(
        "invoices",
        "id,customer,deal,partner,currency,subtotal,paid_at
         INV-0,c1,,beta,USD,400.00,2026-03-10T10:00:00Z
         INV-1,c1,D-1,,USD,100000.00,2026-04-20T10:00:00Z
         INV-2,c1,D-1,,USD,80000.00,2026-05-12T10:00:00Z
         INV-3,c1,,beta,USD,1000.05,2026-04-21T10:00:00Z
         INV-4,c1,,beta,JPY,1000,2026-05-21T10:00:00Z
         INV-5,c1,,beta,KWD,10.005,2026-05-22T10:00:00Z
         INV-6,c1,,,USD,5.00,2026-05-23T10:00:00Z
         INV-7,c1,,beta,USD,70.00,",
    );
    app.import("credits", "id,partner,role,share,invoice\nK-1,beta,helper,50%,INV-3\nK-2,beta,sourced,1,INV-3");
    app.import("fx", "date,from,to,rate\n2026-05-20,JPY,USD,0.0065\n2026-05-20,KWD,USD,3.25");
    app.import("refunds", "id,invoice,amount,refunded_at\nR-1,INV-3,500.00,2026-05-02T10:00:00Z\nR-2,INV-1,1000.00,2026-05-03T10:00:00Z");
}
