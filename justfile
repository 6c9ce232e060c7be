# Runs what continuous integration runs.
check:
    bash .ci/run

# Every test, with its set-up; arguments go to cargo test.
test *arguments:
    bash .ci/test {{arguments}}

# The example worlds alone: `just worlds tiny-900001,tiny-900018`, or all of them.
worlds names="":
    {{ if names == "" { "" } else { "TRIBUTARY_WORLDS=" + names } }} cargo test --test it --locked worlds::

# The product against the second implementation in tests/reference, over so many mutated worlds: `just reference 200`.
reference seeds="50":
    TRIBUTARY_REFERENCE_SEEDS={{seeds}} cargo test --test reference --locked

# Kills a running settlement this many times on each database.
kills times="100":
    TRIBUTARY_KILLS={{times}} cargo test --test it --locked kills:: -- --nocapture

# Measures import and settlement against plain SQL.
bench *arguments:
    cargo bench --no-default-features --bench settlement --locked -- {{arguments}}
