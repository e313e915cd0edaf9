"""A notebook: the kernel's loop runs already, a class is defined in a cell, and the data outlives the kernel."""

import nbformat
from nbclient import NotebookClient

SENSOR = """
import perdure

class Sensor(perdure.DurableObject):
    async def record(self, value: float) -> int:
        values = self.ctx.storage.kv.get("values", [])
        self.ctx.storage.kv.put("values", [*values, value])
        return len(values) + 1

rt = await perdure.open("lab/", objects=[Sensor])
"""


def run_cells(folder, *cells: str) -> list[str]:
    """What each cell shows as its result, or the error that it ended with."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return [_shown(cell) for cell in notebook.cells]


def _shown(cell) -> str:
    texts = [
        f"{output.ename}: {output.evalue}" if output.output_type == "error" else output.get("data", output).get(key, "")
        for output in cell.outputs
        for key in ("text/plain" if output.output_type == "execute_result" else "text",)
    ]
    return "".join(texts)


def test_cells_open_use_and_close_a_folder_and_the_next_kernel_finds_the_data(tmp_path):
    first = run_cells(
        tmp_path,
        SENSOR,
        "await rt[Sensor]['roof'].record(21.5)",
        "import asyncio\nawait asyncio.gather(*(rt[Sensor]['roof'].record(value) for value in range(3)))",
        SENSOR.replace("rt = await", "again = await").replace(
            "])", "], lock_timeout=__import__('datetime').timedelta())"
        ),
        "rt[Sensor]",
        "await rt.aclose()",
    )
    second = run_cells(tmp_path, SENSOR, "await rt[Sensor]['roof'].record(22)", "await rt.aclose()")

    assert first[:3] == ["", "1", "[2, 3, 4]"]
    assert first[3].startswith("DataFolderLocked: the folder is in use by this very process")
    assert first[4].startswith("WrongType: Sensor was defined anew since the runtime was opened")
    assert first[5] == ""
    assert second == ["", "5", ""]
