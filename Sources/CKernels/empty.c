// stand-in until the room is built
