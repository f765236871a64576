"""Makes events.json, TensorBoard's events as Python's protobuf writes them: python3 test/golden/make_events.py

The messages are event.proto and summary.proto of TensorFlow, as far as the package writes them. README.md lists the contents.
"""

import json
import pathlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TYPES = {"double": 1, "float": 2, "int64": 3, "int32": 5, "string": 9, "bytes": 12}
MESSAGES = {
    "Image": {"height": (1, "int32"), "width": (2, "int32"), "colorspace": (3, "int32"), "encoded_image_string": (4, "bytes")},
    "Value": {"tag": (1, "string"), "simple_value": (2, "float"), "image": (4, "Image")},
    "Summary": {"value": (1, "Value", "repeated")},
    "SessionLog": {"status": (1, "int32")},
    "Event": {
        "wall_time": (1, "double"),
        "step": (2, "int64"),
        "file_version": (3, "string"),
        "summary": (5, "Summary"),
        "session_log": (7, "SessionLog"),
    },
}


def event_class():
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="golden", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, *repeated) in fields.items():
            added = message.field.add(name=field, number=number, label=3 if repeated else 1, type=TYPES.get(kind, 11))
            if kind in MESSAGES:
                added.type_name = f".golden.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("golden.Event")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)


def main():
    Event = event_class()
    image = {"height": 300, "width": 2, "colorspace": 3, "encoded_image_string": bytes(range(200))}
    values = [{"tag": "train/loss", "simple_value": 0.1}, {"tag": "größe", "simple_value": -2.5}]
    events = {
        "version": {"wall_time": 1764454321.25, "file_version": "brain.Event:2"},
        "start": {"wall_time": 1.5, "step": 129, "session_log": {"status": 1}},
        "scalars": {"wall_time": 2.0, "step": 5_000_000_000, "summary": {"value": values}},
        "image": {"wall_time": 2.0, "step": 1, "summary": {"value": [{"tag": "val/wrong", "image": image}]}},
    }
    path = pathlib.Path(__file__).resolve().parent / "events.json"
    path.write_text(json.dumps({name: Event(**fields).SerializeToString().hex() for name, fields in events.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
