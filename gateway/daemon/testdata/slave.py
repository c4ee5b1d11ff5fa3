"""Modbus slaves by pymodbus, for the integration test.

    slave.py rtu PORT UNIT...      serves units on a serial port, 9600 8N1
    slave.py tcp PORT UNIT...      serves units on a TCP port of loopback

Input registers 0 and 1 of each unit are a number, high word first, that grows by
one with each read. Every read is told on standard output, as it is answered:

    UNIT VALUE SECONDS-SINCE-1970

After a line on standard input no read is answered with a value any more.
"""

import asyncio
import sys
import time

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext
from pymodbus.datastore.store import BaseModbusDataBlock
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.transaction import ModbusRtuFramer

stopped = False


class Counting(BaseModbusDataBlock):
    """A number that grows with each read."""

    def __init__(self, unit):
        self.unit = unit
        self.value = unit * 1_000_000
        self.address = 0
        self.default_value = 0
        self.values = [0, 0]

    def validate(self, address, count=1):
        return not stopped and address == 0 and count == 2

    def getValues(self, address, count=1):
        self.value += 1
        print(self.unit, self.value, time.time(), flush=True)
        return [self.value >> 16, self.value & 0xFFFF]

    def setValues(self, address, values):
        raise NotImplementedError


async def listen_for_stop():
    global stopped
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    stopped = True
    print("stopped", flush=True)


async def main(kind, port, units):
    slaves = {u: ModbusSlaveContext(ir=Counting(u), zero_mode=True) for u in units}
    context = ModbusServerContext(slaves=slaves, single=False)
    waiting = asyncio.create_task(listen_for_stop())
    print("serving", flush=True)
    if kind == "rtu":
        await StartAsyncSerialServer(context, framer=ModbusRtuFramer, port=port, baudrate=9600, timeout=0.005)
    else:
        await StartAsyncTcpServer(context, address=("127.0.0.1", int(port)))
    await waiting


asyncio.run(main(sys.argv[1], sys.argv[2], [int(u) for u in sys.argv[3:]]))
