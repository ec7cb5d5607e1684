"""Why a score is what it is: occlusion, one frame in detail, worse copies."""
