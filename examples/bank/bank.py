"""Accounts that pay each other, and no crash loses or doubles a cent.

Two objects share no transaction. So a payment is two steps, each of which may be repeated and counts once: the money
leaves one account, then it reaches the other. Whoever pays repeats the request, with the same id, until it is answered.
"""

from dataclasses import dataclass

from perdure import DurableObject, Env, Namespace, Request, Response, ValueMismatch

PAGES = "GET /<name>, POST /<name>/deposit or POST /<name>/pay"
CASH = ""  # the other side of a deposit; no account has this name


class Refused(Exception):
    """The account will not do this, however often it is asked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line in an account's book: who the other side is, and what it added."""

    other: str
    cents: int


class Account(DurableObject["BankEnv"]):
    """A balance, and the entries that led to it."""

    async def balance(self) -> int:
        return self.ctx.storage.kv.get_as(int, "balance", 0)

    async def receive(self, cents: int, *, sender: str, id: str) -> None:
        """Safe to repeat: an id counts once per sender."""
        await self._enter(f"in/{sender}/{id}", Entry(sender, positive(cents)))

    async def send(self, cents: int, *, to: str, id: str) -> None:
        """Safe to repeat: an id counts once. Refused while the account holds less."""
        await self._enter(f"out/{id}", Entry(to, -positive(cents)))

    async def _enter(self, key: str, entry: Entry) -> None:
        kv = self.ctx.storage.kv
        known = kv.get_as(Entry, key)
        if known == entry:
            return
        if known is not None:
            raise Refused(f"this id stands for {abs(known.cents)} cents and {known.other or 'cash'}")
        balance = await self.balance() + entry.cents
        if balance < 0:
            raise Refused(f"{-balance} cents short")
        kv.put(key, entry)  # this write and the next are one unit: nothing comes between them
        kv.put("balance", balance)


def positive(cents: int) -> int:
    if cents <= 0:
        raise Refused(f"an amount must be positive, not {cents}")
    return cents


class BankEnv(Env):
    ACCOUNT: Namespace[Account]


@dataclass(frozen=True, slots=True)
class Deposit:
    cents: int
    id: str


@dataclass(frozen=True, slots=True)
class Payment:
    to: str
    cents: int
    id: str


async def pay(env: BankEnv, payer: str, payment: Payment) -> None:
    """After a crash between the two steps, the next try finds the first one done and goes on with the second."""
    await env.ACCOUNT[payer].send(payment.cents, to=payment.to, id=payment.id)
    await env.ACCOUNT[payment.to].receive(payment.cents, sender=payer, id=payment.id)


async def fetch(request: Request, env: BankEnv) -> Response:
    name, *rest = request.path.strip("/").split("/")
    if not name:
        return Response(PAGES, 404)
    try:
        match request.method, rest:
            case "GET", []:
                pass
            case "POST", ["deposit"]:
                deposit = await request.json_as(Deposit)
                await env.ACCOUNT[name].receive(deposit.cents, sender=CASH, id=deposit.id)
            case "POST", ["pay"]:
                await pay(env, name, await request.json_as(Payment))
            case _:
                return Response(PAGES, 404)
    except Refused as error:  # raised in the object, caught here as what it is
        return Response(str(error), 409)
    except ValueMismatch as error:  # a body that is no Deposit or Payment
        return Response(str(error), 400)
    return Response.from_json({"cents": await env.ACCOUNT[name].balance()})
