"""Dates, months (`2026-04`) and quarters (`2026-Q2`)."""

import calendar
from datetime import date, datetime, timedelta

ONE = timedelta(days=1)


def day(text):
    return date.fromisoformat(text)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def month_of(on):
    return f"{on.year:04d}-{on.month:02d}"


def first_day(month):
    return day(f"{month}-01")


def months_after(on, months):
    """The same day so many months later, or that month's last one."""
    years, month = divmod(on.month - 1 + months, 12)
    year, month = on.year + years, month + 1
    return date(year, month, min(on.day, calendar.monthrange(year, month)[1]))


def next_month(month):
    return month_of(months_after(first_day(month), 1))


def previous_month(month):
    return month_of(first_day(month) - ONE)


def last_day(month):
    return first_day(next_month(month)) - ONE


def quarter_begins(on):
    return date(on.year, (on.month - 1) // 3 * 3 + 1, 1)


def quarter_of(on):
    return f"{on.year:04d}-Q{(on.month - 1) // 3 + 1}"


def year_before(on):
    return months_after(on, -12)
