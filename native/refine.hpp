// Better starting centres: K-means over boxes of colours, with moves that Lloyd's algorithm cannot make.
//
// Lloyd stops at the first local minimum. Here, between its passes, pairs of centres that cost little together are
// merged and the centres set free are put where a cluster gains most by being split (after the utility idea of Patane
// and Russo, "The enhanced LBG algorithm", Neural Networks 14, 2001), and the steps to the means are longer than
// Lloyd's. All but the last passes are over few points that stand for the colours.
#pragma once

#include <vector>

#include "box_tree.hpp"
#include "nearest.hpp"

namespace chromapress {

/// Moves the centres from `first` on; the number of centres stays. Deterministic.
void refine(const BoxTree& tree, std::vector<Centre>& centres, std::size_t first);

}  // namespace chromapress
