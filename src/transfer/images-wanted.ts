/** Which of the images the destination lacks: all of them; all but the memory, which was streamed; all but what was copied in rounds. */
export type ImagesWanted = 'all' | 'without-memory' | 'without-rounds';
