// How the pixels of a PNG are written: as numbers of palette entries or, where all colours are of a kind that allows
// it, as samples of their own, which saves the palette.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"

namespace chromapress {

/// ISO/IEC 15948, clause 11.2.2.
enum class ColorType : std::uint8_t { grey = 0, rgb = 2, indexed = 3, grey_alpha = 4, rgba = 6 };

struct Format {
  ColorType type;
  unsigned depth;  // bits of a sample: 1, 2, 4 or 8
  friend bool operator==(const Format&, const Format&) = default;
};

/// Samples of a pixel.
std::size_t channels(ColorType type);

/// The smallest format of so many entries.
Format indexed_format(std::size_t colors);

/// The smallest format without a palette that holds all of its colours exactly.
Format direct_format(std::span<const Rgba> palette);

/// The bytes of the chunks PLTE and tRNS.
std::size_t palette_bytes(std::span<const Rgba> palette);

/// The bytes of a row, and how many lie between a byte and the one that filters see to its left.
std::size_t row_bytes(std::size_t width, Format format);
std::size_t pixel_bytes(Format format);

/// The rows as PNG packs them, without filter bytes.
std::vector<std::uint8_t> pack(std::span<const std::uint8_t> indices, std::size_t width, std::span<const Rgba> palette,
                               Format format);
/// The indices again, from rows of an indexed format.
std::vector<std::uint8_t> unpack(std::span<const std::uint8_t> packed, std::size_t width, Format format);

}  // namespace chromapress
