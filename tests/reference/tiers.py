"""Tiers: looks between reviews, and the reviews themselves (domain.md §5)."""

import functools

from .conditions import holds
from .days import ONE, first_day, month_of, year_before
from .money import major, money_text, rounded
from .world import Refused


def trailing_revenue(world, version, partner, on):
    return world.revenue(version.id, partner, year_before(on), on, seen_on=on)


def standing(world, version, partner, on):
    """The ranks of the tiers that a member holds and earns on a day, and its trailing revenue."""
    held = version.rank[world.earned_tier(version.id, partner, on)]
    trailing = trailing_revenue(world, version, partner, on)
    facts = functools.partial(world.review_fact, version, partner, on, trailing)
    for rank in range(len(version.tiers) - 1, 0, -1):
        tier = version.tiers[rank]
        is_open = tier.threshold <= trailing and not (tier.invitation_only and held < rank)
        if is_open and holds(tier.requires, facts):
            return held, rank, trailing
    return held, 0, trailing


def is_frozen(world, program, partner, on, what):
    for row in world.facts.of("freezes", program=program, what=what):
        if row.get("partner") in (None, "", partner) and row["from"] <= str(on) <= row["through"]:
            return True
    return False


def is_assigned_by_hand(world, program, partner, on):
    return any(since == on and origin == "hand" for since, _, _, origin in world.assignments(program, partner))


def find_tier(world, program, partner, on, tier, origin):
    found = world.programmes[program].found_tiers.setdefault(partner, [])
    found.append((on, world.facts.next_order(), tier, origin))


def look(world, program, month, before):
    """Promotes at once whom the days of a month, up to `before`, show to have earned it."""
    programme, begin = world.programmes[program], first_day(month)
    if not any(version.recertification.get("promotion") == "immediate" for version in programme.versions):
        return
    days = {begin: set(world.members(program))}
    for invoice in world.paid_invoices():
        paid_on = world.paid_on(program, invoice)
        if begin <= paid_on < before:
            for item in world.items(invoice):
                credited = {credit.partner for credit in world.credits(program, invoice, item)}
                days.setdefault(paid_on + ONE, set()).update(credited)
    for on in sorted(days):
        version = programme.on(on)
        if version.recertification.get("promotion") != "immediate":
            continue
        for partner in sorted(days[on]):
            passed_over = is_assigned_by_hand(world, program, partner, on) or is_frozen(world, program, partner, on, "promotion")
            if passed_over or not world.is_active(program, partner, on):
                continue
            held, earned, _ = standing(world, version, partner, on)
            if earned > held:
                find_tier(world, program, partner, on, version.tiers[earned].id, "immediate")


def review(world, program, on):
    """The review of a day as JSON; the stored one where it was made before."""
    programme = world.programmes[program]
    if on in programme.reviews:
        return programme.reviews[on]
    if programme.reviews and on < max(programme.reviews):
        raise Refused("reviews are made in order of date")
    if programme.settlements and month_of(on) <= max(programme.settlements):
        raise Refused("the day lies in a final period")
    world.fresh()
    look(world, program, month_of(on), on)
    version, reviews = programme.on(on), []
    for partner in world.members(program):
        if world.is_active(program, partner, on) and not is_assigned_by_hand(world, program, partner, on):
            reviews.append(decide(world, version, partner, on))
    for result in reviews:
        programme.misses[result["partner"]] = result["misses"]
        if result["tier"] != result["new_tier"]:
            find_tier(world, program, result["partner"], on, result["new_tier"], "review")
    programme.reviews[on] = {"program": program, "as_of": str(on), "reviews": reviews}
    return programme.reviews[on]


def decide(world, version, partner, on):
    held, earned, trailing = standing(world, version, partner, on)
    misses, rank = world.programmes[version.id].misses.get(partner, 0), held
    if earned > held:
        misses = 0
        outcome = "kept" if is_frozen(world, version.id, partner, on, "promotion") else "promoted"
        rank = held if outcome == "kept" else earned
    elif earned == held:
        outcome, misses = "kept", 0
    elif is_frozen(world, version.id, partner, on, "demotion"):
        outcome = "kept"
    elif misses + 1 <= version.recertification.get("grace_cycles", 1):
        outcome, misses = "notice", misses + 1
    else:
        rank = max(earned, held - version.recertification.get("max_demotion_steps", 1))
        outcome, misses = "demoted", 0 if rank == earned else misses + 1
    t12m = rounded(trailing / major(1, version.currency), version.rounding)
    return {
        "partner": partner, "tier": version.tier_id(held), "t12m": money_text(t12m, version.currency),
        "earned": version.tier_id(earned), "outcome": outcome, "new_tier": version.tier_id(rank), "misses": misses,
    }  # fmt: skip
