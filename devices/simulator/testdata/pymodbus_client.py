"""A Modbus master of another maker: reads and writes the slave of the test.

Usage: pymodbus_client.py rtu|ascii|socket PORT|HOST:PORT
"""

import struct
import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer

UNIT = 11


def connect(framer, where):
    if framer == "socket":
        host, port = where.rsplit(":", 1)
        return ModbusTcpClient(host, port=int(port), timeout=3)
    framers = {"rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}
    return ModbusSerialClient(where, framer=framers[framer], baudrate=19200, timeout=3)


def main(framer, where):
    client = connect(framer, where)
    if not client.connect():
        sys.exit("no connection to " + where)
    words = client.read_holding_registers(1, 1, slave=UNIT).registers
    print("pressure", words[0])
    pair = client.read_input_registers(72, 2, slave=UNIT).registers
    print("energy", struct.unpack(">f", struct.pack(">HH", *pair))[0])
    print("door", int(client.read_discrete_inputs(5, 1, slave=UNIT).bits[0]))
    client.write_coil(9, True, slave=UNIT)
    print("valve", int(client.read_coils(9, 1, slave=UNIT).bits[0]))
    client.write_registers(0, [0x0011, 0x00FA], slave=UNIT)
    print("written", *client.read_holding_registers(0, 2, slave=UNIT).registers)
    client.write_register(1, 321, slave=UNIT)
    print("one", client.read_holding_registers(1, 1, slave=UNIT).registers[0])
    print("refused", client.read_holding_registers(500, 1, slave=UNIT).exception_code)
    client.close()


main(*sys.argv[1:])
