"""A slave of another maker: unit 7 with holding registers i, input registers
1000+i, and coils and discrete inputs that are set where i divides by 3.

usage: pymodbus_server.py socket|rtu|ascii PORT
       pymodbus_server.py rtu|ascii TERMINAL

A port is of TCP on this machine; a terminal runs at 19200 8N1.
"""
import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer


def registers(first):
    return ModbusSequentialDataBlock(0, [first + i for i in range(300)])


def bits():
    return ModbusSequentialDataBlock(0, [i % 3 == 0 for i in range(300)])


unit = ModbusSlaveContext(di=bits(), co=bits(), hr=registers(0), ir=registers(1000), zero_mode=True)
framer = {"socket": ModbusSocketFramer, "rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}[sys.argv[1]]
context = ModbusServerContext(slaves={7: unit}, single=False)
place = sys.argv[2]
if place.isdigit():
    server = StartAsyncTcpServer(context, framer=framer, address=("127.0.0.1", int(place)))
else:
    server = StartAsyncSerialServer(context, framer=framer, port=place, baudrate=19200)
asyncio.run(server)
