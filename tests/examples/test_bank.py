"""The bank conserves money: whoever repeats what was not answered finds every cent, however often the process is killed."""

import random
import shutil

import httpx
import pytest

from tests.examples.readme import EXAMPLES
from tests.host.dev_process import DevProcess

ACCOUNTS = ["ann", "bob", "carl"]
PAID_IN = 10_000
ROUNDS = 3
PAYMENTS_PER_ROUND = 60


class Bank:
    """The example's process, restarted whenever it was killed, and its clients."""

    def __init__(self, folder, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.served = DevProcess(folder).wait_ready()

    def ask(self, method: str, path: str, **data: object) -> tuple[int, object]:
        """Repeat the same request until it is answered."""
        while True:
            try:
                response = self.served.request(method, path, **({"json": data} if data else {}))
            except httpx.HTTPError:
                self.served.wait_end()
                self.served = DevProcess(self.folder).wait_ready()
            else:
                return response.status_code, response.json() if response.status_code == 200 else response.text

    def balances(self) -> dict[str, int]:
        return {name: self.ask("GET", f"/{name}")[1]["cents"] for name in ACCOUNTS}


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    seed = random.randrange(2**32)
    print(f"seed: {seed}")  # shown when a test fails
    folder = tmp_path_factory.mktemp("project") / "bank"
    bank = Bank(shutil.copytree(EXAMPLES / "bank", folder, ignore=shutil.ignore_patterns(".perdure")), seed)
    yield bank
    bank.served.kill()


def test_money_is_neither_lost_nor_doubled_when_the_process_is_killed_amid_payments(bank):
    for name in ACCOUNTS:
        bank.ask("POST", f"/{name}/deposit", cents=PAID_IN, id="first")
    expected = dict.fromkeys(ACCOUNTS, PAID_IN)

    for number in range(ROUNDS * PAYMENTS_PER_ROUND):
        payer, to = bank.chance.sample(ACCOUNTS, 2)
        cents = bank.chance.randrange(1, 4_000)
        if number % PAYMENTS_PER_ROUND == PAYMENTS_PER_ROUND // 2:
            bank.served.kill_soon(bank.chance.uniform(0, 0.01))
        status, _ = bank.ask("POST", f"/{payer}/pay", to=to, cents=cents, id=str(number))
        assert status == (200 if expected[payer] >= cents else 409)
        if status == 200:
            expected[payer] -= cents
            expected[to] += cents

    assert bank.balances() == expected
    assert sum(expected.values()) == len(ACCOUNTS) * PAID_IN


@pytest.mark.parametrize(
    ("path", "data", "status", "says"),
    [
        ("/poor/pay", {"to": "bob", "cents": 1, "id": "p"}, 409, "1 cents short"),
        ("/poor/deposit", {"cents": -1, "id": "d"}, 409, "an amount must be positive, not -1"),
        ("/poor/deposit", {"cents": "much", "id": "d"}, 400, "cents"),
        ("/poor/lend", {"cents": 1, "id": "l"}, 404, "/<name>/deposit"),
        ("/", {"cents": 1, "id": "l"}, 404, "/<name>/deposit"),
    ],
)
def test_what_the_bank_will_not_do_it_says(bank, path, data, status, says):
    answered, text = bank.ask("POST", path, **data)

    assert answered == status
    assert says in str(text)
