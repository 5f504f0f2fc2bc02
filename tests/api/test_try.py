import pytest, time
from tests.api.responder import Responder
pytestmark = pytest.mark.asyncio(loop_scope="package")
async def test_a(its: Responder) -> None:
    t=time.time()
    before = await its.world()
    i = await its.responding(its.raised())
    print("responding", time.time()-t); t=time.time()
    s = await its.show(i)
    print(s["gates"])
    s = await its.ended(i, approve=True)
    print("ended", time.time()-t); t=time.time()
    print(s["result"], s["reason"], [ (x["action"],x["state"]) for x in s["steps"]])
    await its.undone(i)
    print("undone", time.time()-t); t=time.time()
    after = await its.world()
    assert before["azure"] == after["azure"]
async def test_b(its: Responder) -> None:
    t=time.time()
    i = await its.responding(its.raised())
    s = await its.ended(i)
    print("rejected", time.time()-t, s["result"]); t=time.time()
