// PNG's row filters (ISO/IEC 15948, 9.2), one byte a pixel or packed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// The first five are PNG's, for all rows. The others choose one for each row: the least sum of absolute differences,
/// or the least entropy of the filtered bytes.
enum class RowFilter : std::uint8_t { none, sub, up, average, paeth, minimum_sum, entropy };

/// The filtered rows, each after its filter byte. `rows` holds whole rows of `row_bytes`.
std::vector<std::uint8_t> filter_rows(std::span<const std::uint8_t> rows, std::size_t row_bytes, RowFilter filter);

}  // namespace chromapress
