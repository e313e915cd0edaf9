"""Ledgers in SQL: each is an object with tables of its own, in which every transfer is booked twice or not at all."""

from datetime import datetime

import msgspec

import perdure
from perdure import ConstraintFailed, DurableObject, Env, Namespace, Request, Response, ValueMismatch


class Transfer(msgspec.Struct, frozen=True):
    """Money on its way from one account to another, in cents."""

    source: str
    target: str
    cents: int
    text: str = ""


class Line(msgspec.Struct, frozen=True):
    """What happened on an account."""

    at: datetime
    cents: int
    text: str


class Ledger(DurableObject["LedgerEnv"]):
    """One ledger. Its tables are made before anything else of it runs, once for each ledger."""

    schema = (
        """
        create table account(name text primary key, cents integer not null check (cents >= 0)) without rowid;
        create table line(id integer primary key, account text not null references account, at text not null,
                          cents integer not null, text text not null);
        """,
        "create index line_of_account on line(account, id)",
        "insert into account(name, cents) values('bank', 1000000)",
    )

    async def transfer(self, transfer: Transfer) -> dict[str, int]:
        """Books it; ConstraintFailed, and nothing is booked, if the source has too little."""
        with self.ctx.storage.transaction_sync():
            self._book(transfer.target, transfer.cents, transfer.text)
            self._book(transfer.source, -transfer.cents, transfer.text)
        return await self.balances()

    async def balances(self) -> dict[str, int]:
        rows = self.ctx.storage.sql.exec_as(tuple[str, int], "select name, cents from account order by name")
        return dict(rows)

    async def lines(self, account: str) -> list[Line]:
        query = "select at, cents, text from line where account = :account order by id desc limit 100"
        return self.ctx.storage.sql.exec_as(Line, query, account=account).to_list()

    def _book(self, account: str, cents: int, text: str) -> None:
        sql = self.ctx.storage.sql
        sql.exec("insert into account(name, cents) values(?, 0) on conflict do nothing", account)
        sql.exec("update account set cents = cents + ? where name = ?", cents, account)
        now = perdure.now().isoformat(timespec="milliseconds")
        sql.exec("insert into line(account, at, cents, text) values(?, ?, ?, ?)", account, now, cents, text)


class LedgerEnv(Env):
    LEDGER: Namespace[Ledger]


async def fetch(request: Request, env: LedgerEnv) -> Response:
    match (request.method, *request.path.strip("/").split("/")):
        case ("POST", name) if name:
            try:
                return Response.from_json(await env.LEDGER[name].transfer(await request.json_as(Transfer)))
            except ValueMismatch as error:
                return Response(f"{error.path}: {error.why}", 400)
            except ConstraintFailed:
                return Response("the account has too little", 409)
        case ("GET", name) if name:
            return Response.from_json(await env.LEDGER[name].balances())
        case ("GET", name, account):
            return Response.from_json([line.text for line in await env.LEDGER[name].lines(account)])
        case _:
            return Response("POST /<ledger>, GET /<ledger> or GET /<ledger>/<account>", 404)
