"""A GGUF file with every tensor in single precision: what llama.cpp must be given to do the same work as the others.

Copies a (quantised) GGUF's metadata and dequantises its tensors, in llama.cpp's own layout. Needs the packages gguf and numpy.
Run: python test/bench/peers/f32-gguf.py IN.gguf OUT.gguf
"""
import sys

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

SOURCE, TARGET = sys.argv[1:3]
WRITTEN_BY_GGUF = {"general.architecture", "general.file_type", "general.quantization_version"}

reader = GGUFReader(SOURCE)
architecture = reader.fields["general.architecture"].contents()
writer = GGUFWriter(TARGET, architecture)
for name, field in reader.fields.items():
    if name in WRITTEN_BY_GGUF or name.startswith("GGUF."):
        continue
    kind = field.types[0]
    inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
    writer.add_key_value(name, field.contents(), kind, inner)
writer.add_file_type(0)
for tensor in reader.tensors:
    values = dequantize(tensor.data, GGMLQuantizationType(tensor.tensor_type)).astype(numpy.float32)
    writer.add_tensor(tensor.name, numpy.ascontiguousarray(values))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print(f"{len(reader.tensors)} tensors written to {TARGET}")
