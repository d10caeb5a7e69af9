// Starting centres by variance-based splitting, after Wu, "Efficient statistical computations for optimal color
// quantization" (Graphics Gems II, 1991): the box whose best cut removes the most squared error is cut next. Boxes hold
// colours of one kind, so that kinds never mix.
#pragma once

#include <cstddef>
#include <vector>

#include "box_tree.hpp"
#include "nearest.hpp"

namespace chromapress {

/// Exactly min(k, distinct colours) centres, every kind that occurs among them. k is at least the number of kinds.
std::vector<Centre> wu_centres(const BoxTree& tree, std::size_t k);

}  // namespace chromapress
