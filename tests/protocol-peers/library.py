"""The messages and methods of library.proto, from its descriptor set: nothing is generated."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "library.v1.Library"


class Library:
    """What a descriptor set says."""

    def __init__(self, path):
        with open(path, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self.pool.Add(file)
        self.methods = self.pool.FindServiceByName(SERVICE).methods_by_name

    def message(self, name):
        """The class of a message."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def types(self, method):
        """What goes in and what comes out."""
        method = self.methods[method]
        return message_factory.GetMessageClass(method.input_type), message_factory.GetMessageClass(method.output_type)
